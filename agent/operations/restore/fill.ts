// Fills a new database pass by pass, and gives what was restored to its owners.
import type { ListingEntry } from '#shared/backup/archive/listing.ts';
import type { UnpackResult } from '../../backup-unpack/protocol.ts';
import { quoteName, quoteText } from '../../host/postgres.ts';
import { runScript } from '../../host/sql-script.ts';
import { analyzeTables } from './analyze.ts';
import { confirmAbsent, findLeftover } from './catalogue.ts';
import { uncheckedStatement } from './joins.ts';
import { inOrderOfHandOver, isRelation, ownerStatements } from './owners.ts';
import { type Filling, runPass, sessionOf } from './pass.ts';
import { type Hand, type Pass, planRestore, type RestorePlan, type Standing, sealOwner } from './plan.ts';
import type { Refused } from './refused.ts';
import { closeStatements, generated, REOPEN_STATEMENTS } from './rights.ts';
import { HELD_ROLE, RESTORE_ROLE, renewLogin } from './role.ts';

/** Giving away a hundred thousand objects takes a while; the command has a limit of its own. */
const SQL_TIMEOUT_MS = 6 * 3_600_000;
const [RESTORER, HELD] = [quoteName(RESTORE_ROLE), quoteName(HELD_ROLE)];

export interface Filled {
  refused: Refused[];
  /** What went in, where rows did. */
  decoded?: UnpackResult;
}

/** A restore under way in one database. */
export interface Restoration {
  filling: Filling;
  plan: RestorePlan;
  standingOf(owner: string): Standing;
}

/** Plans how a dump is restored into a database. */
export function openRestoration(filling: Filling, standingOf: (owner: string) => Standing): Restoration {
  return { filling, plan: planRestore(filling.dump.entries, standingOf), standingOf };
}

/** As the superuser: changes of the catalogue only. Returns what PostgreSQL refused, where the restore is to keep going. */
async function change(
  filling: Filling,
  statements: readonly string[],
  what = 'a right or an owner',
): Promise<Refused[]> {
  if (statements.length === 0) return [];
  const { errors } = await runScript({
    ...sessionOf(filling, 'superuser'),
    sql: [filling.dump.encodingStatement, ...statements].join('\n'),
    timeoutMs: SQL_TIMEOUT_MS,
    signal: filling.signal,
    stopsAtError: filling.onRefused === 'stop',
  });
  return errors.map((why) => ({ what, why }));
}

const EXTENSIONS_RIGHTS = [
  // Tables whose rows an extension marks as its users', and what they need to make foreign tables and functions.
  generated(
    `SELECT format('GRANT ALL ON TABLE %s TO ${HELD}', c::regclass) FROM pg_extension, unnest(extconfig) AS c`,
  ),
  generated(
    `SELECT format('GRANT USAGE ON FOREIGN DATA WRAPPER %I TO ${RESTORER}', fdwname) FROM pg_foreign_data_wrapper`,
  ),
];

/** The restoring role may make objects in each schema; it does not own the schemas, so it can drop nobody else's. */
function schemaStatements(schemas: readonly ListingEntry[]): string[] {
  return schemas.map(({ tag }) => `GRANT USAGE, CREATE ON SCHEMA ${quoteName(tag)} TO ${RESTORER}, ${HELD};`);
}

function tablespaceStatements(entries: readonly ListingEntry[]): string[] {
  const names = new Set(entries.map(({ tablespace }) => tablespace).filter((name) => name !== ''));
  return [...names].map((name) => `GRANT CREATE ON TABLESPACE ${quoteName(name)} TO ${RESTORER}, ${HELD};`);
}

function sealStatements(entries: readonly ListingEntry[], standingOf: Restoration['standingOf']): string[] {
  return inOrderOfHandOver(entries).flatMap((entry) => {
    const to = sealOwner(entry, standingOf(entry.owner));
    if (to === 'owner') return entry.owner === '' ? [] : ownerStatements(entry, entry.owner);
    return ownerStatements(entry, to === 'held' ? HELD_ROLE : RESTORE_ROLE);
  });
}

/** Schemas and extensions first, while there is nothing of the users' in the database that an extension's script could meet. */
async function makeGround(restoration: Restoration): Promise<Refused[]> {
  const { filling, plan } = restoration;
  const { entries } = filling.dump;
  const isNew = ({ tag }: ListingEntry): boolean => tag !== 'public';
  const owners = plan.schemas.flatMap((schema) => ownerStatements(schema, schema.owner));
  return [
    ...(await runPass(filling, { hand: 'superuser', entries: plan.schemas.filter(isNew) })).refused,
    ...(await runPass(filling, { hand: 'superuser', entries: plan.extensions })).refused,
    ...(await change(filling, owners)),
    ...(await giveRights(restoration, plan.groundRights)),
    ...(await change(filling, [
      `GRANT USAGE, CREATE ON SCHEMA public TO ${RESTORER}, ${HELD};`,
      ...tablespaceStatements(entries),
      ...schemaStatements(plan.schemas),
      ...EXTENSIONS_RIGHTS,
    ])),
  ];
}

/**
 * Rights first, then what is open by a schema's rights alone is closed to the roles of the restore, which reach every schema.
 */
async function giveRights(
  { filling, standingOf }: Restoration,
  rights: readonly ListingEntry[],
): Promise<Refused[]> {
  const { refused } = await runPass(filling, { hand: 'superuser', entries: rights });
  return [...refused, ...(await change(filling, closeStatements(filling.dump.entries, standingOf)))];
}

/** Leaves out that an object which was refused could not get its owner and rights either. */
function withoutConsequences(complaints: readonly Refused[], before: readonly Refused[]): Refused[] {
  return complaints.filter(({ why }) => before.length === 0 || !why.endsWith(' does not exist'));
}

async function makeDefinitions(restoration: Restoration): Promise<Refused[]> {
  const { filling, plan, standingOf } = restoration;
  const refused: Refused[] = [];
  const isClosedAtOnce = ({ hand, isSealed }: Pass): boolean => hand === 'superuser' || isSealed === true;
  // All of them, whatever pg_restore said is not there: a statement of the users' may hold lines that look like its own.
  const seal = async (entries: readonly ListingEntry[]): Promise<void> => {
    const complaints = await change(filling, sealStatements(entries, standingOf));
    refused.push(...withoutConsequences(complaints, refused));
  };
  for (const pass of plan.definitions) {
    refused.push(...(await runPass(filling, pass)).refused);
    if (!isClosedAtOnce(pass)) continue;
    await seal(pass.entries);
    refused.push(...(await giveRights(restoration, pass.rights ?? [])));
  }
  const open = plan.definitions.filter((pass) => !isClosedAtOnce(pass)).flatMap(({ entries }) => entries);
  await seal(open);
  const { ordinary, trusted } = plan.changes;
  refused.push(...(await runPass(filling, { hand: 'restorer', entries: ordinary })).refused);
  if (trusted.length === 0) return refused;
  return [
    ...refused,
    ...(await raise(filling, [`GRANT ${HELD} TO ${RESTORER};`])),
    ...(await runPass(filling, { hand: 'restorer', entries: trusted })).refused,
    ...(await change(filling, [`REVOKE ${HELD} FROM ${RESTORER};`])),
  ];
}

/** Fills the database. Throws `failed` with what PostgreSQL said, unless it is to keep going. */
export async function fillDatabase(restoration: Restoration, note: (text: string) => void): Promise<Filled> {
  const { refused, ...filled } = await runAllPasses(restoration, note);
  return { ...filled, refused: await confirmAbsent(restoration.filling, refused) };
}

async function runAllPasses(restoration: Restoration, note: (text: string) => void): Promise<Filled> {
  const { filling, plan, standingOf } = restoration;
  const analyze = async (standing: Standing): Promise<void> => {
    const of = filling.dump.entries.filter(({ owner }) => standingOf(owner) === standing);
    await analyzeTables(filling, of, note);
  };
  const refused = [...(await makeGround(restoration)), ...(await makeDefinitions(restoration))];
  let decoded: UnpackResult | undefined;
  const run = async (hand: Hand, entries: readonly ListingEntry[]): Promise<void> => {
    const result = await runPass(filling, { hand, entries });
    refused.push(...result.refused);
    decoded = result.decoded ?? decoded;
  };
  // In this order: what runs for ordinary owners' tables (ANALYZE and a foreign key's check plan an index's expression,
  // too) can't touch what a trusted role will own.
  const { loads, joins, refreshes } = plan;
  await run('restorer', loads.ordinary);
  await run('restorer', joins.ordinary);
  await analyze('ordinary');
  const isTrustedMade = filling.dump.entries.some(({ owner }) => standingOf(owner) === 'trusted');
  if (!isTrustedMade) return { refused, ...(decoded ? { decoded } : {}) };
  refused.push(...(await raise(filling, [`GRANT ${HELD} TO ${RESTORER};`, READ_RIGHTS])));
  await run('restorer', loads.trusted);
  await run('restorer', joins.trusted);
  await run('restorer', refreshes.trusted);
  await analyze('trusted');
  refused.push(...(await change(filling, [`REVOKE ${HELD} FROM ${RESTORER};`])));
  const rights = [...new Set(joins.toTrusted.tables)].map(
    (table) => `GRANT SELECT, REFERENCES ON ${table} TO ${RESTORER};`,
  );
  refused.push(...(await change(filling, rights)));
  await run('restorer', joins.toTrusted.entries);
  refused.push(...(await change(filling, joins.toOrdinary.map(uncheckedStatement), 'a foreign key')));
  // The rows are counted next, by COPY, which reads each table alone and plans nothing.
  refused.push(...(await raise(filling, [`GRANT ${HELD} TO ${RESTORER};`])));
  return { refused, ...(decoded ? { decoded } : {}) };
}

/** A superuser's materialized view reads whatever it names in this database. */
const READ_RIGHTS = generated(
  `SELECT format('GRANT SELECT ON TABLE %s TO ${HELD}', oid::regclass) FROM pg_class
    WHERE relkind IN ('r', 'p', 'v', 'm', 'f') AND oid >= 16384 AND pg_get_userbyid(relowner) <> ${quoteText(HELD_ROLE)}`,
);

/** Gives the restoring role more than it had: nobody else may be logged in as it, or be able to, from then on. */
async function raise(filling: Filling, statements: readonly string[]): Promise<Refused[]> {
  await renewLogin(filling.cluster, filling.login, filling.fresh);
  return await change(filling, statements);
}

function finalOwners(entries: readonly ListingEntry[], absent: ReadonlySet<number>): string[] {
  const isLate = (entry: ListingEntry): boolean =>
    isRelation(entry) || entry.section !== 'pre-data' || entry.kind.startsWith('BLOB');
  return inOrderOfHandOver(entries)
    .filter((entry) => isLate(entry) && entry.owner !== '' && !absent.has(entry.dumpId))
    .flatMap((entry) => ownerStatements(entry, entry.owner));
}

/**
 * Gives everything to its owners with the rights that it had, fills what is filled as its owner, and makes event triggers
 * last. Afterwards nothing in the database belongs to the roles of the restore.
 */
export async function giveToOwners(
  { filling, plan }: Restoration,
  before: readonly Refused[],
): Promise<Refused[]> {
  const absent = new Set(before.map(({ dumpId }) => dumpId).filter((id) => id !== undefined));
  const late = new Set([...plan.eventTriggers, ...plan.closing, ...plan.leftOut]);
  const owned = filling.dump.entries.filter((entry) => !late.has(entry) && entry.kind !== 'SCHEMA');
  const refused: Refused[] = [];
  const keep = (more: readonly Refused[]): void => void refused.push(...more);
  keep(withoutConsequences(await change(filling, finalOwners(owned, absent)), before));
  keep((await runPass(filling, { hand: 'superuser', entries: plan.closing })).refused);
  keep(
    await change(
      filling,
      plan.closing.flatMap((entry) => ownerStatements(entry, entry.owner)),
    ),
  );
  keep(await change(filling, [`DROP OWNED BY ${RESTORER}, ${HELD};`, ...REOPEN_STATEMENTS]));
  const owners = [...new Set(plan.refreshes.ordinary.map(({ owner }) => quoteName(owner)))];
  if (owners.length > 0) {
    const connect = `GRANT CONNECT ON DATABASE ${quoteName(filling.fresh)} TO ${RESTORER};`;
    keep(await raise(filling, [connect, `GRANT ${owners.join(', ')} TO ${RESTORER};`]));
    keep((await runPass(filling, { hand: 'restorer', entries: plan.refreshes.ordinary })).refused);
    keep(await change(filling, [`REVOKE ${owners.join(', ')} FROM ${RESTORER};`]));
  }
  keep(await findLeftover(filling));
  keep(await change(filling, [`DROP OWNED BY ${RESTORER}, ${HELD};`]));
  keep((await runPass(filling, { hand: 'superuser', entries: plan.eventTriggers })).refused);
  keep(
    await change(
      filling,
      plan.eventTriggers.flatMap((entry) => ownerStatements(entry, entry.owner)),
    ),
  );
  return refused;
}
