// The reason of an alert while it fires: it may become another one, which is noted without another mail.
import { noteIncidentReason } from '../incident/join.ts';
import { type Alert, setLatestReason } from '../store/alerts.ts';
import type { Queryable } from '../store/database.ts';
import { isSameReason } from './text.ts';

/** Notes why a firing alert fires now; another reason is one line of its incident. The host's lock is held. */
export async function renewReason(tx: Queryable, alert: Alert, reason: string, now: Date): Promise<void> {
  // What the first reason says besides (how the process ended, say) is not told for long, and stays true.
  const isStillFirst = alert.reason === reason || alert.reason.startsWith(`${reason}; `);
  const latest = isStillFirst ? null : reason;
  if (latest === alert.latestReason) return;
  await setLatestReason(tx, alert.id, latest);
  if (alert.incident === null || isStillFirst) return;
  await noteIncidentReason(tx, alert.incident, alert, reason, isSameReason, now);
}
