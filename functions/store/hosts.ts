// Hosts, the public keys of their agents and runners, and their last heartbeats.
import * as z from 'zod';
import { HeartbeatReport, UnitStatus, Vitals } from '#shared/command/report.ts';
import { LamplighterError } from '#shared/errors.ts';
import { type Queryable, queryRow, queryRows } from './database.ts';
import { toJson } from './json.ts';

export const HostKeyRole = z.enum(['agent', 'runner']);
export type HostKeyRole = z.infer<typeof HostKeyRole>;

export const HostKey = z.lazy(() =>
  z.object({
    host: z.string(),
    role: HostKeyRole,
    keyId: z.string(),
    pem: z.string(),
    retiredAt: z.date().nullable(),
  }),
);
export type HostKey = z.infer<typeof HostKey>;

const KEY_COLUMNS = 'host, role, key_id AS "keyId", pem, retired_at AS "retiredAt"';

/** Valid keys with this id, of any host. */
export async function findKeysById(db: Queryable, keyId: string): Promise<HostKey[]> {
  return await queryRows(
    db,
    HostKey,
    `SELECT ${KEY_COLUMNS} FROM host_keys WHERE key_id = $1 AND retired_at IS NULL`,
    [keyId],
  );
}

/** All keys that a host ever had in this role, valid ones first: the manifest of an old backup is signed with an old key. */
export async function listHostKeys(db: Queryable, host: string, role: HostKeyRole): Promise<HostKey[]> {
  return await queryRows(
    db,
    HostKey,
    `SELECT ${KEY_COLUMNS} FROM host_keys WHERE host = $1 AND role = $2
     ORDER BY retired_at DESC NULLS FIRST, added_at DESC`,
    [host, role],
  );
}

export interface Enrolment {
  host: string;
  keys: readonly { role: HostKeyRole; keyId: string; pem: string }[];
  at: Date;
  by: string;
}

/** Throws `refused` when one of the keys was retired: an old document must not make a leaked key valid again. */
async function refuseRetiredKeys(tx: Queryable, { host, keys }: Enrolment): Promise<void> {
  const retired = await queryRow(
    tx,
    HostKey.unwrap().extend({ retiredAt: z.date() }),
    `SELECT ${KEY_COLUMNS} FROM host_keys
     WHERE host = $1 AND key_id = ANY($2) AND retired_at IS NOT NULL ORDER BY role LIMIT 1`,
    [host, keys.map(({ keyId }) => keyId)],
  );
  if (!retired) return;
  const { role, keyId, retiredAt } = retired;
  throw new LamplighterError(
    'refused',
    `enrol host ${host}: ${role} key ${keyId} was retired at ${retiredAt.toISOString()}, when other keys were enrolled`,
    {
      hint: 'Make new keys: as root on the host, move /etc/lamplighter/runner.pub to /etc/lamplighter/former-runner-keys/old.pem (for restores of old backups), delete agent.key and runner.key, run the installer again, and enrol the host with the document that it prints.',
    },
  );
}

/** Makes these keys the host's only valid keys and retires all others for good. Throws `refused` for a retired key. */
export async function enrolHost(tx: Queryable, enrolment: Enrolment): Promise<void> {
  const { host, keys, at, by } = enrolment;
  await tx.query(
    'INSERT INTO hosts (name, enrolled_at, enrolled_by) VALUES ($1, $2, $3) ON CONFLICT (name) DO NOTHING',
    [host, at, by],
  );
  // Serialises enrolments, so that the second one sees what the first one retired.
  await tx.query('SELECT 1 FROM hosts WHERE name = $1 FOR UPDATE', [host]);
  await refuseRetiredKeys(tx, enrolment);
  await tx.query(
    `UPDATE host_keys SET retired_at = $2
     WHERE host = $1 AND retired_at IS NULL AND NOT (role || ':' || key_id = ANY($3))`,
    [host, at, keys.map(({ role, keyId }) => `${role}:${keyId}`)],
  );
  for (const { role, keyId, pem } of keys) {
    await tx.query(
      `INSERT INTO host_keys (host, role, key_id, pem, added_at) VALUES ($1, $2, $3, $4, $5)
       ON CONFLICT (host, role, key_id) DO NOTHING`,
      [host, role, keyId, pem, at],
    );
  }
}

export const HostState = z.lazy(() =>
  z.object({
    host: z.string(),
    reportedAt: z.date(),
    /** When the last heartbeat was received, by the control plane's clock. */
    receivedAt: z.date(),
    agentVersion: z.string(),
    policyHash: z.string(),
    vitals: Vitals,
    runningCommands: z.array(z.string()),
  }),
);
export type HostState = z.infer<typeof HostState>;

const STATE_COLUMNS = `host, reported_at AS "reportedAt", received_at AS "receivedAt", agent_version AS "agentVersion",
  policy_hash AS "policyHash", vitals, running_commands AS "runningCommands"`;

/**
 * Stores a heartbeat unless a newer one is known; true when it was stored. A stored heartbeat from the future (a wrong clock)
 * does not block later ones.
 */
export async function saveHeartbeat(
  db: Queryable,
  report: HeartbeatReport,
  receivedAt: Date,
): Promise<boolean> {
  const { rowCount } = await db.query(
    `INSERT INTO host_state AS known
       (host, report_id, reported_at, received_at, agent_version, policy_hash, vitals, running_commands)
     VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
     ON CONFLICT (host) DO UPDATE SET
       report_id = excluded.report_id, reported_at = excluded.reported_at, received_at = excluded.received_at,
       agent_version = excluded.agent_version, policy_hash = excluded.policy_hash, vitals = excluded.vitals,
       running_commands = excluded.running_commands
     WHERE excluded.report_id <> known.report_id
       AND (excluded.reported_at > known.reported_at OR known.reported_at > excluded.received_at + interval '2 minutes')`,
    [
      report.host,
      report.id,
      report.at,
      receivedAt,
      report.agentVersion,
      report.policyHash,
      toJson(report.vitals),
      toJson(report.runningCommands),
    ],
  );
  return rowCount > 0;
}

/** The last heartbeat of every host. */
export async function listHostStates(db: Queryable): Promise<HostState[]> {
  return await queryRows(db, HostState, `SELECT ${STATE_COLUMNS} FROM host_state ORDER BY host`);
}

/** A host's last heartbeat; undefined before the first. */
export async function findHostState(db: Queryable, host: string): Promise<HostState | undefined> {
  return await queryRow(db, HostState, `SELECT ${STATE_COLUMNS} FROM host_state WHERE host = $1`, [host]);
}

/** A unit's state in the host's last heartbeat; undefined when it is missing or malformed. */
export async function findUnitStatus(
  db: Queryable,
  host: string,
  unit: string,
): Promise<UnitStatus | undefined> {
  const row = await queryRow(
    db,
    z.object({ status: z.unknown() }),
    `SELECT told AS status FROM host_state, jsonb_array_elements(vitals->'units') AS told
     WHERE host = $1 AND told->>'unit' = $2 LIMIT 1`,
    [host, unit],
  );
  return UnitStatus.safeParse(row?.status).data;
}
