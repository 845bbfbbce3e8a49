// Alerts: of each condition, host and subject at most one fires at a time.
import * as z from 'zod';
import { AlertKind } from '#shared/runbook/schema.ts';
import { AlertLevel, Severity } from '#shared/severity.ts';
import { type Queryable, queryRow, queryRows } from './database.ts';
import { toJson } from './json.ts';

export const Alert = z.lazy(() =>
  z.object({
    id: z.string(),
    condition: z.string(),
    kind: AlertKind,
    host: z.string(),
    subject: z.string().nullable(),
    facts: z.record(z.string(), z.unknown()),
    service: z.string().nullable(),
    state: z.enum(['firing', 'resolved']),
    severity: Severity,
    level: AlertLevel,
    title: z.string(),
    /** Why it was raised. */
    reason: z.string(),
    /** Why it fires now, or fired last; null while `reason` still holds. */
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
  condition: string;
  host: string;
  /** Which check, job, backup …; null when the condition has one alert for each host. Rows from before conditions may have a hash. */
  subject: string | null;
}

const COLUMNS = `id, condition, kind, host, subject, facts, service, state, severity, level, title, reason,
  latest_reason AS "latestReason", evidence, fired_at AS "firedAt", resolved_at AS "resolvedAt", resolution, incident`;

/**
 * Locks a host's alerts and incidents until the transaction ends. Of two ticks that see the same failure at once, the
 * second finds the alert of the first.
 */
export async function lockHostAlerts(tx: Queryable, host: string): Promise<void> {
  await tx.query(`SELECT pg_advisory_xact_lock(hashtextextended('alerts:' || $1, 0))`, [host]);
}

/** The alert with this key that fires now. */
export async function findFiringAlert(
  db: Queryable,
  { condition, host, subject }: AlertKey,
): Promise<Alert | undefined> {
  return await queryRow(
    db,
    Alert,
    `SELECT ${COLUMNS} FROM alerts
     WHERE condition = $1 AND host = $2 AND subject IS NOT DISTINCT FROM $3 AND state = 'firing'`,
    [condition, host, subject],
  );
}

export async function findAlert(db: Queryable, id: string): Promise<Alert | undefined> {
  return await queryRow(db, Alert, `SELECT ${COLUMNS} FROM alerts WHERE id = $1`, [id]);
}

export type NewAlert = Omit<Alert, 'state' | 'latestReason' | 'resolvedAt' | 'resolution'>;

/** Adds a firing alert. */
export async function insertAlert(tx: Queryable, alert: NewAlert): Promise<void> {
  await tx.query(
    `INSERT INTO alerts (id, condition, kind, host, subject, facts, service, state, severity, level, title, reason, evidence,
       fired_at, incident)
     VALUES ($1, $2, $3, $4, $5, $6, $7, 'firing', $8, $9, $10, $11, $12, $13, $14)`,
    [
      alert.id,
      alert.condition,
      alert.kind,
      alert.host,
      alert.subject,
      toJson(alert.facts),
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

/** Sets why an alert fires now; null when the reason that it was raised with holds again. */
export async function setLatestReason(tx: Queryable, id: string, reason: string | null): Promise<void> {
  await tx.query('UPDATE alerts SET latest_reason = $2 WHERE id = $1', [id, reason]);
}

/** Ends an alert. */
export async function markAlertResolved(
  tx: Queryable,
  id: string,
  end: { resolvedAt: Date; resolution: string },
): Promise<void> {
  await tx.query(
    `UPDATE alerts SET state = 'resolved', resolved_at = $2, resolution = $3 WHERE id = $1 AND state = 'firing'`,
    [id, end.resolvedAt, end.resolution],
  );
}

/** The alerts that fire now, the oldest first: all, or those of a condition, on a host. */
export async function listFiringAlerts(
  db: Queryable,
  { condition, host }: { condition?: string; host?: string } = {},
): Promise<Alert[]> {
  return await queryRows(
    db,
    Alert,
    `SELECT ${COLUMNS} FROM alerts
     WHERE state = 'firing' AND ($1::text IS NULL OR condition = $1) AND ($2::text IS NULL OR host = $2)
     ORDER BY fired_at, id`,
    [condition ?? null, host ?? null],
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
