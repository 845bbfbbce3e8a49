// Commands whose end nobody will report: expired before the host took them, or silent long after their time.
import type { CommandState } from '#shared/command/state.ts';
import type { Deps } from '../deps.ts';
import { appendAudit } from '../store/audit.ts';
import {
  type Advance,
  advanceCommand,
  type CommandRecord,
  listCommandsIn,
  lockCommand,
} from '../store/commands.ts';

/** A report of the host may be on its way this long. */
const REPORT_DELAY_MS = 60_000;
/** How long after a command's time-out its host may stay silent. */
const SILENCE_MS = 5 * 60_000;
const UNSETTLED: readonly CommandState[] = ['requested', 'sent', 'accepted', 'running'];

/** What the clock says of a command, or undefined when there is still time. */
export function judgeByClock(record: CommandRecord, now: Date): Advance | undefined {
  const nowMs = now.getTime();
  const swept = { at: now, isSwept: true };
  if (record.state === 'requested' && nowMs >= record.expiresAt.getTime()) {
    return { ...swept, state: 'expired', code: 'expired', message: 'it could not be sent in time' };
  }
  if (record.state === 'sent' && nowMs >= record.expiresAt.getTime() + REPORT_DELAY_MS) {
    const hint = '`lamp status` says when the host was last heard of.';
    return {
      ...swept,
      state: 'expired',
      code: 'expired',
      message: `${record.host} did not take it in time`,
      hint,
    };
  }
  const isUnderway = record.state === 'accepted' || record.state === 'running';
  const beganAt = record.acceptedAt ?? record.sentAt ?? record.requestedAt;
  if (isUnderway && nowMs >= beganAt.getTime() + record.timeoutMs + SILENCE_MS) {
    const hint = 'Look on the host: journalctl -u "lamplighter-*"';
    return { ...swept, state: 'unknown', message: `${record.host} did not say how it ended`, hint };
  }
  return undefined;
}

/** Settles what is overdue and gives how many; called with every tick of the watch. */
export async function sweepCommands(deps: Pick<Deps, 'db' | 'clock'>): Promise<number> {
  const ids = await listCommandsIn(deps.db, UNSETTLED);
  let settled = 0;
  for (const id of ids) {
    const isSettled = await deps.db.transaction(async (tx) => {
      const record = await lockCommand(tx, id);
      const change = record && judgeByClock(record, deps.clock());
      if (!record || !change || !(await advanceCommand(tx, record, change))) return false;
      await appendAudit(tx, {
        at: change.at,
        actor: 'clock:watch',
        action: 'command.ended',
        target: record.id,
        detail: { state: change.state, reason: change.message ?? null },
      });
      return true;
    });
    if (isSettled) settled += 1;
  }
  return settled;
}
