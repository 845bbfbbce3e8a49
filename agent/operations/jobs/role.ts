// The role that looks at a table of jobs and changes it: it logs in, is no superuser, and has the columns' rights alone, or
// those of the role that the policy names. Whatever the table makes it run (a trigger, a policy, a type) can do no more.
// It is made for one command and dropped afterwards.
import { randomBytes } from 'node:crypto';
import { LamplighterError, messageOf } from '#shared/errors.ts';
import type { JobTable } from '#shared/policy/jobs.ts';
import { JOBS_ACCOUNT, jobsAccount } from '../../host/accounts.ts';
import { type Cluster, quoteName, quoteText } from '../../host/postgres.ts';
import { type Login, runScript } from '../../host/sql-script.ts';
import { makePassword, scramVerifier } from '../restore/role.ts';
import { POWERS } from '../restore/standing.ts';
import { quoteTable } from './table.ts';

const ROLE = JOBS_ACCOUNT;
/** How a role that Lamplighter made is known; another one of that name is left alone. */
const MARK = 'made by Lamplighter to look at jobs';
const TIMEOUT_MS = 60_000;
const OWN = quoteName(ROLE);
const NAME = quoteText(ROLE);

async function ask(cluster: Cluster, sql: string, database = 'postgres'): Promise<string[]> {
  const { rows } = await runScript({ cluster, database, timeoutMs: TIMEOUT_MS, sql: asBytes(sql) });
  return rows;
}

/** A script in UTF-8, as `runScript` wants it. */
export function asBytes(sql: string): string {
  return Buffer.from(`SET client_encoding = 'UTF8';\n${sql}`, 'utf8').toString('latin1');
}

/** A role that may become a superuser, or reach files and programs, would lend that to whatever the table runs. */
async function refusePowers(cluster: Cluster, role: string | undefined): Promise<void> {
  if (role === undefined) return;
  const [standing] = await ask(
    cluster,
    `SELECT CASE WHEN rolcreaterole OR rolreplication OR EXISTS (SELECT FROM pg_catalog.pg_roles p
        WHERE (p.rolsuper OR p.rolname IN (${POWERS.map(quoteText).join(', ')})) AND pg_catalog.pg_has_role(r.oid, p.oid, 'MEMBER'))
      THEN 'powerful' ELSE 'ordinary' END FROM pg_catalog.pg_roles r WHERE rolname = ${quoteText(role)};`,
  );
  if (standing === 'ordinary') return;
  const why = standing === undefined ? 'there is no such role' : 'it may act as a superuser, or reach files';
  throw new LamplighterError('refused', `take the rights of role ${role}: ${why}`, {
    hint: 'Name the role of the application itself as "role:" under "jobs:" in /etc/lamplighter/policy.yaml, or none.',
  });
}

async function refuseStranger(cluster: Cluster): Promise<void> {
  const strangers = await ask(
    cluster,
    `SELECT rolname FROM pg_catalog.pg_roles WHERE rolname = ${NAME}
      AND pg_catalog.shobj_description(oid, 'pg_authid') IS DISTINCT FROM ${quoteText(MARK)};`,
  );
  if (strangers.length === 0) return;
  throw new LamplighterError('refused', `make role ${ROLE}: there is one that Lamplighter did not make`, {
    hint: 'Rename or drop that role: Lamplighter makes and drops a role of this name.',
  });
}

function grants(entry: JobTable): string {
  const { database, schema, key, status, since, role } = entry;
  const connect = `GRANT CONNECT ON DATABASE ${quoteName(database)} TO ${OWN};`;
  if (role !== undefined) return `${connect} GRANT ${quoteName(role)} TO ${OWN};`;
  const columns = [key, status, since].map(quoteName).join(', ');
  // The place and the version of a row are columns of the system's.
  return `${connect} GRANT USAGE ON SCHEMA ${quoteName(schema)} TO ${OWN};
    GRANT SELECT (${columns}, ctid, xmin), UPDATE (${quoteName(status)}) ON ${quoteTable(entry)} TO ${OWN};`;
}

/**
 * Makes the role, in the place of one that an earlier command left, and proves that it can log in. Throws `refused` when it
 * can't.
 */
export async function makeJobsRole(cluster: Cluster, entry: JobTable): Promise<Login> {
  await refuseStranger(cluster);
  await refusePowers(cluster, entry.role);
  await dropJobsRole(cluster);
  const login = { role: ROLE, account: await jobsAccount(), password: makePassword() };
  await ask(
    cluster,
    `BEGIN;
    CREATE ROLE ${OWN} LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE NOREPLICATION NOBYPASSRLS INHERIT
      PASSWORD ${quoteText(scramVerifier(login.password, randomBytes(16)))};
    COMMENT ON ROLE ${OWN} IS ${quoteText(MARK)};
    ${grants(entry)}
    COMMIT;`,
    entry.database,
  );
  try {
    await runScript({ cluster, database: entry.database, login, timeoutMs: TIMEOUT_MS, sql: 'SELECT 1;' });
  } catch (cause) {
    throw new LamplighterError('refused', `log in as ${ROLE}: ${messageOf(cause)}`, {
      cause,
      hint: `Let it in over the socket: "local all ${ROLE} peer" (or scram-sha-256) near the top of pg_hba.conf.`,
    });
  }
  return login;
}

/** A login of the role that an interrupted command left: its rights and its mark stay. */
export async function renewJobsLogin(cluster: Cluster): Promise<Login> {
  await refuseStranger(cluster);
  const login = { role: ROLE, account: await jobsAccount(), password: makePassword() };
  const verifier = scramVerifier(login.password, randomBytes(16));
  await ask(cluster, `ALTER ROLE ${OWN} LOGIN PASSWORD ${quoteText(verifier)};`);
  return login;
}

/** Drops the role with its rights and whatever it came to own, when it is there and Lamplighter's own. */
export async function dropJobsRole(cluster: Cluster): Promise<void> {
  const isOwn = `rolname = ${NAME} AND pg_catalog.shobj_description(r.oid, 'pg_authid') = ${quoteText(MARK)}`;
  const [oid] = await ask(cluster, `SELECT oid FROM pg_catalog.pg_roles r WHERE ${isOwn};`);
  if (oid === undefined) return;
  // Nobody logs in as it any more while its sessions are ended.
  await ask(
    cluster,
    `ALTER ROLE ${OWN} NOLOGIN;
    SELECT pg_catalog.pg_terminate_backend(pid) FROM pg_catalog.pg_stat_activity WHERE usename = ${NAME};`,
  );
  const databases = await ask(
    cluster,
    `SELECT DISTINCT datname FROM pg_catalog.pg_shdepend JOIN pg_catalog.pg_database d ON d.oid = dbid
      WHERE refclassid = 'pg_catalog.pg_authid'::pg_catalog.regclass AND refobjid = ${Number(oid)};`,
  );
  for (const database of databases) await ask(cluster, `DROP OWNED BY ${OWN};`, database);
  await ask(cluster, `DROP OWNED BY ${OWN}; DROP ROLE ${OWN};`);
}

/** Set in the same transaction as a reset, with its number: so it is there exactly when the reset is. */
export const MARK_RESET = `SELECT pg_catalog.format('ALTER ROLE CURRENT_USER SET application_name = %L', pg_catalog.pg_current_xact_id()::xid::text) \\gexec`;

/** The number of the transaction that reset jobs; undefined when none was committed. */
export async function readResetMark(cluster: Cluster): Promise<string | undefined> {
  const [mark] = await ask(
    cluster,
    `SELECT pg_catalog.split_part(setting, '=', 2) FROM pg_catalog.pg_db_role_setting s
      JOIN pg_catalog.pg_roles r ON r.oid = s.setrole, pg_catalog.unnest(s.setconfig) AS setting
      WHERE rolname = ${NAME} AND s.setdatabase = 0 AND setting LIKE 'application_name=%';`,
  );
  return mark;
}

/** True while a session of the role is still there: what it does may yet be committed. */
export async function isAtWork(cluster: Cluster): Promise<boolean> {
  const [count] = await ask(
    cluster,
    `SELECT count(*) FROM pg_catalog.pg_stat_activity WHERE usename = ${NAME};`,
  );
  return count !== '0';
}
