// Whether a host is online, judged by its heartbeats.
import type { HostContact } from '#shared/api/views.ts';
import type { RunbookHost } from '#shared/runbook/schema.ts';
import type { Queryable } from '../store/database.ts';
import { findHostState, type HostState } from '../store/hosts.ts';
import { findRunbook } from '../store/runbooks.ts';

/** True when the last heartbeat is within the host's own timeout. */
export function isOnline(
  state: Pick<HostState, 'receivedAt'> | undefined,
  { heartbeatTimeoutS }: Pick<RunbookHost, 'heartbeatTimeoutS'>,
  now: Date,
): boolean {
  return state !== undefined && now.getTime() - state.receivedAt.getTime() <= heartbeatTimeoutS * 1000;
}

/** When the host's last heartbeat came. A host that is no longer in the runbook is not online. */
export async function readContact(db: Queryable, name: string, now: Date): Promise<HostContact> {
  const [current, state] = await Promise.all([findRunbook(db), findHostState(db, name)]);
  const host = Object.entries(current?.runbook.hosts ?? {}).find(([key]) => key === name)?.[1];
  return {
    at: now.toISOString(),
    online: host !== undefined && isOnline(state, host, now),
    lastHeardAt: state?.receivedAt.toISOString() ?? null,
  };
}
