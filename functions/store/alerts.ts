// Alerts: of each kind, host and subject at most one fires at a time.
import * as z from 'zod';
import { AlertKind } from '#shared/runbook/schema.ts';
import { AlertLevel, Severity } from '#shared/severity.ts';
import { type Queryable, queryRow, queryRows } from './database.ts';
import { toJson } from './json.ts';

export const Alert = z.lazy(() =>
  z.object({
    id: z.string(),
    kind: AlertKind,
    host: z.string(),
    subject: z.string(),
    service: z.string().nullable(),
    state: z.enum(['firing', 'resolved']),
    severity: Severity,
    level: AlertLevel,
    title: z.string(),
    /** Why it was raised. */
    reason: z.string(),
    /** Why it fires now, or fired last; null while that is `reason`. */
    latestReason: z.string().nullable(),
    evidence: z.array(z.string()),
    firedAt: z.date(),
    resolvedAt: z.date().nullable(),
    resolution: z.string().nullable(),
    incident: z.number().nullable(),
  }),
);
export type Alert = z.infer<typeof Alert>;

/** What an alert is about. */
export interface AlertKey {
  kind: AlertKind;
  host: string;
  /** Within kind and host: the check's name, the scheduled job's, which fact (alert/beside.ts), or empty. */
  subject: string;
}

const COLUMNS = `id, kind, host, subject, service, state, severity, level, title, reason,
  latest_reason AS "latestReason", evidence, fired_at AS "firedAt", resolved_at AS "resolvedAt", resolution, incident`;

/**
 * Lets one transaction at a time change a host's alerts and incidents, until it ends. Two ticks that see the same
 * thing at once then come one after the other, and the second finds what the first did.
 */
export async function lockHostAlerts(tx: Queryable, host: string): Promise<void> {
  await tx.query(`SELECT pg_advisory_xact_lock(hashtextextended('alerts:' || $1, 0))`, [host]);
}

/** The alert about this that fires now. */
export async function findFiringAlert(
  db: Queryable,
  { kind, host, subject }: AlertKey,
): Promise<Alert | undefined> {
  return await queryRow(
    db,
    Alert,
    `SELECT ${COLUMNS} FROM alerts WHERE kind = $1 AND host = $2 AND subject = $3 AND state = 'firing'`,
    [kind, host, subject],
  );
}

export async function findAlert(db: Queryable, id: string): Promise<Alert | undefined> {
  return await queryRow(db, Alert, `SELECT ${COLUMNS} FROM alerts WHERE id = $1`, [id]);
}

export type NewAlert = Omit<Alert, 'state' | 'latestReason' | 'resolvedAt' | 'resolution'>;

/** Adds a firing alert. */
export async function insertAlert(tx: Queryable, alert: NewAlert): Promise<void> {
  await tx.query(
    `INSERT INTO alerts (id, kind, host, subject, service, state, severity, level, title, reason, evidence, fired_at, incident)
     VALUES ($1, $2, $3, $4, $5, 'firing', $6, $7, $8, $9, $10, $11, $12)`,
    [
      alert.id,
      alert.kind,
      alert.host,
      alert.subject,
      alert.service,
      alert.severity,
      alert.level,
      alert.title,
      alert.reason,
      toJson(alert.evidence),
      alert.firedAt,
      alert.incident,
    ],
  );
}

/** Sets why an alert fires now; null: for the reason that it was raised with. */
export async function setLatestReason(tx: Queryable, id: string, reason: string | null): Promise<void> {
  await tx.query('UPDATE alerts SET latest_reason = $2 WHERE id = $1', [id, reason]);
}

/** Ends an alert. */
export async function resolveAlert(
  tx: Queryable,
  id: string,
  end: { resolvedAt: Date; resolution: string },
): Promise<void> {
  await tx.query(
    `UPDATE alerts SET state = 'resolved', resolved_at = $2, resolution = $3 WHERE id = $1 AND state = 'firing'`,
    [id, end.resolvedAt, end.resolution],
  );
}

/** All alerts that fire now. */
export async function listFiringAlerts(db: Queryable): Promise<Alert[]> {
  return await queryRows(
    db,
    Alert,
    `SELECT ${COLUMNS} FROM alerts WHERE state = 'firing' ORDER BY fired_at DESC, id`,
  );
}

/** The alerts that fire now for facts of one kind: their subjects begin with the key's and a colon. */
export async function listFiringBeside(db: Queryable, { kind, host, subject }: AlertKey): Promise<Alert[]> {
  return await queryRows(
    db,
    Alert,
    `SELECT ${COLUMNS} FROM alerts
     WHERE kind = $1 AND host = $2 AND starts_with(subject, $3 || ':') AND state = 'firing' ORDER BY fired_at, id`,
    [kind, host, subject],
  );
}

/** The newest alerts first. */
export async function listAlerts(
  db: Queryable,
  filter: { state?: 'firing' | 'resolved' | undefined; limit: number },
): Promise<Alert[]> {
  return await queryRows(
    db,
    Alert,
    `SELECT ${COLUMNS} FROM alerts WHERE ($1::text IS NULL OR state = $1) ORDER BY fired_at DESC, id LIMIT $2`,
    [filter.state ?? null, filter.limit],
  );
}

/** How many alerts of an incident still fire. */
export async function countFiringAlerts(db: Queryable, incident: number): Promise<number> {
  const row = await queryRow(
    db,
    z.object({ count: z.number() }),
    `SELECT count(*) AS count FROM alerts WHERE incident = $1 AND state = 'firing'`,
    [incident],
  );
  return row?.count ?? 0;
}
