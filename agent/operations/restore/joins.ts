// What joins two tables, by who owns them: a foreign key is checked by a query over both, an index is attached after its
// expressions were planned. So no such thing is done by a role that reaches more than both tables' owners may.
import type { ListingEntry } from '#shared/backup/archive/listing.ts';
import { LamplighterError } from '#shared/errors.ts';
import type { Standing } from './plan.ts';
import { matchUnquoted } from './quotes.ts';
import { nameEntry } from './refused.ts';
import { NAME, unquote } from './routine.ts';

export interface Joins {
  ordinary: ListingEntry[];
  /** From ordinary owners' tables to these tables of trusted owners (as SQL names them). */
  toTrusted: { entries: ListingEntry[]; tables: string[] };
  trusted: ListingEntry[];
  /** From trusted owners' tables to ordinary ones: made without a check of the rows. */
  toOrdinary: ListingEntry[];
}

type StandingOf = (owner: string) => Standing;

const FOREIGN_KEY = new RegExp(
  `ADD CONSTRAINT ${NAME} FOREIGN KEY \\((?:PERIOD )?${NAME}(?:, (?:PERIOD )?${NAME})*\\) REFERENCES (${NAME})\\.(${NAME})\\(`,
  'dg',
);

interface Target {
  /** As SQL names it. */
  table: string;
  standing: Standing;
}

function targetOf(entry: ListingEntry, tables: ReadonlyMap<string, string>, standingOf: StandingOf): Target {
  const [[, schema, name] = []] = matchUnquoted(entry.definition, FOREIGN_KEY);
  if (schema === undefined || name === undefined)
    throw new LamplighterError('failed', `plan ${nameEntry(entry)}: its definition has an unknown form`, {
      hint: 'This version of Lamplighter does not know that form of a foreign key: report it with its CREATE statement.',
    });
  const owner = tables.get(JSON.stringify([unquote(schema), unquote(name)])) ?? '';
  return { table: `${schema}.${name}`, standing: standingOf(owner) };
}

const ATTACHED = new Set(['TABLE', 'FOREIGN TABLE', 'INDEX', 'CONSTRAINT']);

/** The standings of what a partition or its index is attached to, and of itself. */
function attachedStandings(
  entry: ListingEntry,
  made: ReadonlyMap<number, ListingEntry>,
  standingOf: StandingOf,
): Set<Standing> {
  const parts = entry.dependsOn.map((id) => made.get(id)).filter((part) => part !== undefined);
  return new Set(parts.filter(({ kind }) => ATTACHED.has(kind)).map(({ owner }) => standingOf(owner)));
}

function byId(entries: readonly ListingEntry[]): Map<number, ListingEntry> {
  return new Map(entries.map((entry) => [entry.dumpId, entry]));
}

/** Plans what joins tables. */
export function splitJoins(entries: readonly ListingEntry[], standingOf: StandingOf): Joins {
  const made = byId(entries);
  const tables = new Map(
    entries
      .filter(({ kind }) => kind === 'TABLE')
      .map(({ schema, tag, owner }) => [JSON.stringify([schema, tag]), owner]),
  );
  const joins: Joins = { ordinary: [], toTrusted: { entries: [], tables: [] }, trusted: [], toOrdinary: [] };
  for (const entry of entries) {
    if (entry.kind === 'INDEX ATTACH') {
      const isOrdinary = attachedStandings(entry, made, standingOf).has('ordinary');
      (isOrdinary ? joins.ordinary : joins.trusted).push(entry);
    }
    if (entry.kind !== 'FK CONSTRAINT') continue;
    const { table, standing } = targetOf(entry, tables, standingOf);
    const isFromTrusted = standingOf(entry.owner) === 'trusted';
    if (isFromTrusted) (standing === 'trusted' ? joins.trusted : joins.toOrdinary).push(entry);
    else if (standing === 'ordinary') joins.ordinary.push(entry);
    else {
      joins.toTrusted.entries.push(entry);
      joins.toTrusted.tables.push(table);
    }
  }
  return joins;
}

/** True for a foreign key whose rows were not checked where it was made, either. */
export function isUncheckedKey({ definition }: ListingEntry): boolean {
  return / NOT (?:VALID|ENFORCED);\s*$/.test(definition);
}

/** A foreign key that holds from now on; the rows that are there are not looked at, so nothing is planned. */
export function uncheckedStatement(key: ListingEntry): string {
  return isUncheckedKey(key) ? key.definition : key.definition.replace(/;\s*$/, ' NOT VALID;');
}

/** True for a foreign key of a partitioned table: pg_dump leaves ONLY out for these. */
export function isPartitionedKey({ definition }: ListingEntry): boolean {
  return !definition.startsWith('ALTER TABLE ONLY ');
}

/** Throws `refused` where a partition and its parent belong to owners of whom only one may act outside of its own objects. */
export function refuseMixedPartitions(entries: readonly ListingEntry[], standingOf: StandingOf): void {
  const made = byId(entries);
  const mixed = entries.filter(
    (entry) =>
      ['TABLE ATTACH', 'INDEX ATTACH'].includes(entry.kind) &&
      attachedStandings(entry, made, standingOf).size > 1,
  );
  const [first] = mixed;
  if (!first) return;
  throw new LamplighterError(
    'refused',
    `restore ${nameEntry(first)}: a privileged role owns one of the partition and its parent, an ordinary role the other`,
    {
      hint: 'Give both tables one owner (ALTER TABLE … OWNER TO) and back up again. For this backup: if you trust the ordinary role with the whole database, make it CREATEROLE until the restore is done.',
    },
  );
}
