// The roles of a restore: one that logs in and one that never does. Neither is a superuser or a member of anything in the
// cluster; they own what is being restored until its owners get it, and are dropped afterwards, whatever happened.
import { createHash, createHmac, pbkdf2Sync, randomBytes } from 'node:crypto';
import { LamplighterError } from '#shared/errors.ts';
import { RESTORE_ACCOUNT, restoreAccount } from '../../host/accounts.ts';
import { type Cluster, quoteName, quoteText } from '../../host/postgres.ts';
import { type Login, runScript } from '../../host/sql-script.ts';

/** Logs in and runs whatever the users' tables make it run. */
export const RESTORE_ROLE = RESTORE_ACCOUNT;
/** Owns meanwhile what a trusted role owns in the end, so that the users' code can't reach it. */
export const HELD_ROLE = `${RESTORE_ACCOUNT}-held`;
const ROLES = [RESTORE_ROLE, HELD_ROLE];

/** How a role that Lamplighter made is known; another one of that name is left alone. */
const MARK = 'made by Lamplighter for one restore';
const TIMEOUT_MS = 60_000;
const SCRAM_ROUNDS = 4096;

const ADMIN = { database: 'postgres', timeoutMs: TIMEOUT_MS };

/** A SCRAM verifier (RFC 5803 as PostgreSQL stores it): the password itself is never sent or logged. */
export function scramVerifier(password: string, salt: Buffer): string {
  const salted = pbkdf2Sync(password, salt, SCRAM_ROUNDS, 32, 'sha256');
  const sign = (key: Buffer, text: string): Buffer => createHmac('sha256', key).update(text).digest();
  const storedKey = createHash('sha256').update(sign(salted, 'Client Key')).digest('base64');
  const serverKey = sign(salted, 'Server Key').toString('base64');
  return `SCRAM-SHA-256$${SCRAM_ROUNDS}:${salt.toString('base64')}$${storedKey}:${serverKey}`;
}

/** A password that nobody has to type. */
export function makePassword(): string {
  return randomBytes(24).toString('base64url');
}

/** The login of one restore; its password lives in this process alone. */
export async function makeLogin(): Promise<Login> {
  return { role: RESTORE_ROLE, account: await restoreAccount(), password: makePassword() };
}

const END_SESSIONS_ROUNDS = 200;

/**
 * Takes back what code that ran as the restoring role may have done to it (a role may change its own password and
 * settings): ends its sessions while nobody can log in, and gives it another password, in `login` as well.
 */
export async function renewLogin(cluster: Cluster, login: Login, database: string): Promise<void> {
  const [own, name] = [quoteName(RESTORE_ROLE), quoteText(RESTORE_ROLE)];
  const password = makePassword();
  await runScript({
    cluster,
    ...ADMIN,
    sql: `ALTER ROLE ${own} NOLOGIN;
      SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = ${name};
      DO $wait$ BEGIN
        FOR i IN 1..${END_SESSIONS_ROUNDS} LOOP
          PERFORM pg_stat_clear_snapshot();
          IF NOT EXISTS (SELECT FROM pg_stat_activity WHERE usename = ${name}) THEN RETURN; END IF;
          PERFORM pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = ${name};
          PERFORM pg_sleep(0.05);
        END LOOP;
        RAISE 'sessions of the role of the restore do not end';
      END $wait$;
      ALTER ROLE ${own} RESET ALL;
      ALTER ROLE ${own} IN DATABASE ${quoteName(database)} RESET ALL;
      ALTER ROLE ${own} LOGIN PASSWORD ${quoteText(scramVerifier(password, randomBytes(16)))};`,
  });
  login.password = password;
}

/** Roles of these names as they stand: those that Lamplighter did not make, and databases in which they own something. */
async function findEarlier(cluster: Cluster): Promise<{ strangers: string[]; leftIn: string[] }> {
  const names = ROLES.map(quoteText).join(', ');
  const { rows } = await runScript({
    cluster,
    ...ADMIN,
    sql: `SELECT 'stranger ' || rolname FROM pg_roles WHERE rolname IN (${names})
        AND shobj_description(oid, 'pg_authid') IS DISTINCT FROM ${quoteText(MARK)};
      SELECT DISTINCT 'left-in ' || quote_ident(datname) FROM pg_shdepend JOIN pg_database d ON d.oid = dbid
        WHERE datname <> ${quoteText(ADMIN.database)} AND refclassid = 'pg_authid'::regclass
          AND refobjid IN (SELECT oid FROM pg_roles WHERE rolname IN (${names}));`,
  });
  const after = (word: string): string[] =>
    rows.filter((row) => row.startsWith(word)).map((row) => row.slice(word.length));
  return { strangers: after('stranger '), leftIn: after('left-in ') };
}

function refuseStrangers([first]: readonly string[]): void {
  if (first === undefined) return;
  throw new LamplighterError('refused', `make role ${first}: there is one that Lamplighter did not make`, {
    hint: 'Rename or drop that role: a restore makes and drops roles of these names.',
  });
}

/** What the new database of a restore is called until it takes the other's place. */
const HALF_DONE = /_restore_[0-9a-f]{6}"?$/;

/** What these roles own or may do in a database keeps them from being dropped, and nobody but a person may remove it. */
function refuseLeftovers(databases: readonly string[]): void {
  const [first] = databases;
  if (first === undefined) return;
  const advice = HALF_DONE.test(first)
    ? `Look at it; if nobody needs it, DROP DATABASE ${first}.`
    : `Connect to ${first}, look at what they own and may do there, then DROP OWNED BY ${ROLES.map(quoteName).join(', ')}.`;
  throw new LamplighterError(
    'refused',
    `make roles of the restore: those of an earlier one still own things, or have rights, in ${databases.join(', ')}`,
    { hint: `${advice} Then try again. Nothing has been stopped.` },
  );
}

/**
 * Makes both roles, in the place of what an earlier restore left, and proves that one can log in. Throws `refused` when it
 * can't.
 */
export async function makeRestoreRoles(cluster: Cluster, login: Login): Promise<void> {
  const { strangers, leftIn } = await findEarlier(cluster);
  refuseStrangers(strangers);
  refuseLeftovers(leftIn);
  await dropRestoreRoles(cluster);
  const common = 'NOSUPERUSER NOCREATEDB NOCREATEROLE NOREPLICATION INHERIT BYPASSRLS';
  const verifier = scramVerifier(login.password, randomBytes(16));
  await runScript({
    cluster,
    ...ADMIN,
    sql: `BEGIN;
      CREATE ROLE ${quoteName(RESTORE_ROLE)} LOGIN ${common} PASSWORD ${quoteText(verifier)};
      ALTER ROLE ${quoteName(RESTORE_ROLE)} SET lc_messages = 'C';
      CREATE ROLE ${quoteName(HELD_ROLE)} NOLOGIN ${common};
      ${ROLES.map((role) => `COMMENT ON ROLE ${quoteName(role)} IS ${quoteText(MARK)};`).join('\n')}
      COMMIT;`,
  });
  try {
    await runScript({ cluster, ...ADMIN, login, sql: 'SELECT 1;' });
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new LamplighterError('refused', `log in as ${RESTORE_ROLE}: ${reason}`, {
      cause,
      hint: `Let it in over the socket: "local all ${RESTORE_ROLE} peer" (or scram-sha-256) near the top of pg_hba.conf, and CONNECT on database postgres.`,
    });
  }
}

/**
 * Drops both roles with their rights, when they are there and Lamplighter's own. What they own in a database must be gone
 * before.
 */
export async function dropRestoreRoles(cluster: Cluster): Promise<void> {
  const names = ROLES.map(quoteText);
  await runScript({
    cluster,
    ...ADMIN,
    sql: `SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename IN (${names.join(', ')});
      SELECT format(statement, rolname)
        FROM (VALUES (1, 'DROP OWNED BY %I'), (2, 'DROP ROLE %I')) AS s(place, statement), pg_roles r
        WHERE rolname IN (${names.join(', ')}) AND shobj_description(r.oid, 'pg_authid') = ${quoteText(MARK)}
        ORDER BY rolname, place
      \\gexec`,
  });
}
