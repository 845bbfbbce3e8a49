// The reason for which an alert fires can change while it fires. A changed reason is noted, and sends no further mail.
import { type IncidentChanges, noteIncidentReason } from '../incident/join.ts';
import { type Alert, setLatestReason } from '../store/alerts.ts';
import { isSameReason } from './text.ts';

/** Notes why a firing alert fires now; each further reason adds one line to its incident. The host's lock is held. */
export async function renewReason(changes: IncidentChanges, alert: Alert, reason: string): Promise<void> {
  // The first reason may say more, such as how the process ended. Later looks no longer say that, and it stays true.
  const isStillFirst = alert.reason === reason || alert.reason.startsWith(`${reason}; `);
  const latest = isStillFirst ? null : reason;
  if (latest === alert.latestReason) return;
  await setLatestReason(changes.tx, alert.id, latest);
  if (alert.incident === null || isStillFirst) return;
  await noteIncidentReason(changes, alert.incident, alert, reason, isSameReason);
}
