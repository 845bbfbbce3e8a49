// The dead-man's switch of the agents: a host without a heartbeat for too long raises an alert, and its next heartbeat
// resolves it.
import type { Runbook, RunbookHost } from '#shared/runbook/schema.ts';
import { type AlertChange, type AlertDeps, changeAlerts, raiseAlert, resolveAlert } from '../alert/change.ts';
import { durationText } from '../alert/text.ts';
import { listFiringAlerts } from '../store/alerts.ts';
import { type LastHeard, listLastHeard } from '../store/watching.ts';
import { agentSilent } from './conditions.ts';

export type HeartbeatVerdict = 'heard' | 'silent' | 'too-early';

/**
 * Silence counts from the host's last heartbeat or its enrolment, but never from before the watcher itself resumed: after the
 * watcher was down, every host first gets its full timeout.
 */
export function judgeSilence(
  { enrolledAt, heardAt }: Omit<LastHeard, 'host'>,
  timeoutS: number,
  watchingSince: Date,
  now: Date,
): HeartbeatVerdict {
  const timeoutMs = timeoutS * 1000;
  if (heardAt && now.getTime() - heardAt.getTime() < timeoutMs) return 'heard';
  const from = Math.max((heardAt ?? enrolledAt).getTime(), watchingSince.getTime());
  return now.getTime() - from < timeoutMs ? 'too-early' : 'silent';
}

/** Checks every enrolled host of the runbook. */
export async function watchHeartbeats(
  deps: AlertDeps,
  runbook: Runbook,
  watchingSince: Date,
): Promise<AlertChange[]> {
  const now = deps.clock();
  const alerts = await listFiringAlerts(deps.db, { condition: agentSilent.id });
  const firing = new Set(alerts.map(({ host }) => host));
  const changes: AlertChange[] = [];
  for (const heard of await listLastHeard(deps.db)) {
    const host = Object.entries(runbook.hosts).find(([name]) => name === heard.host)?.[1];
    if (!host) continue;
    const verdict = judgeSilence(heard, host.heartbeatTimeoutS, watchingSince, now);
    if (verdict === 'silent' && !firing.has(heard.host)) {
      changes.push(...(await raise(deps, runbook, heard, host, now)));
    }
    if (verdict === 'heard' && firing.has(heard.host)) {
      changes.push(...(await resolveSilence(deps, runbook, heard.host)));
    }
  }
  return changes;
}

async function raise(
  deps: AlertDeps,
  runbook: Runbook,
  { host, heardAt, enrolledAt }: LastHeard,
  { heartbeatTimeoutS }: RunbookHost,
  now: Date,
): Promise<AlertChange[]> {
  const silence = durationText(now.getTime() - (heardAt ?? enrolledAt).getTime());
  const reason = heardAt
    ? `no heartbeat for ${silence}, allowed ${heartbeatTimeoutS} s`
    : `no heartbeat ever, enrolled ${silence} ago`;
  const lastWord = heardAt ? `last heartbeat ${heardAt.toISOString()}` : 'no heartbeat was ever received';
  const symptom = { ...agentSilent.on(host, {}), reason, evidence: [lastWord] };
  return await changeAlerts(deps, runbook, (alerts) => raiseAlert(alerts, symptom));
}

async function resolveSilence(deps: AlertDeps, runbook: Runbook, host: string): Promise<AlertChange[]> {
  return await changeAlerts(deps, runbook, (alerts) =>
    resolveAlert(alerts, agentSilent.on(host, {}), 'agent is heard again'),
  );
}
