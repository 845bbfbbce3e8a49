// Ends commands whose end nobody will report: those that expired before the host took them, and those whose host stays
// silent long after their time-out.
import { OPEN_STATES } from '#shared/command/state.ts';
import type { Deps } from '../deps.ts';
import { appendAudit } from '../store/audit.ts';
import { type CommandRecord, listCommandsIn, lockCommand } from '../store/commands.ts';
import { type Advance, advanceCommand } from './advance.ts';

/** A report of the host may be on its way this long. */
const REPORT_DELAY_MS = 60_000;
/** How long after a command's time-out its host may stay silent. */
const SILENCE_MS = 5 * 60_000;

/** How the command ends by our own clock, or undefined while the host still has time. */
function judgeByClock(record: CommandRecord, now: Date): Advance | undefined {
  const { state, host, timeoutMs } = record;
  const overdueMs = now.getTime() - record.expiresAt.getTime();
  if (state === 'requested') {
    if (overdueMs < 0) return undefined;
    return {
      news: 'lapsed',
      at: now,
      code: 'expired',
      message: 'the command could not be sent before it expired',
    };
  }
  if (state === 'sent') {
    if (overdueMs < REPORT_DELAY_MS) return undefined;
    const hint = '`lamp status` shows when the host last reported.';
    return {
      news: 'lapsed',
      at: now,
      code: 'expired',
      message: `${host} did not accept the command before it expired`,
      hint,
    };
  }
  const beganAt = record.acceptedAt ?? record.sentAt ?? record.requestedAt;
  if (now.getTime() - beganAt.getTime() < timeoutMs + SILENCE_MS) return undefined;
  const hint = 'Look on the host: journalctl -u "lamplighter-*"';
  return { news: 'fell-silent', at: now, message: `${host} did not report how the command ended`, hint };
}

/** Ends the commands that are overdue, and returns how many. Called with every tick of the watch. */
export async function sweepCommands(deps: Pick<Deps, 'db' | 'clock'>): Promise<number> {
  const ids = await listCommandsIn(deps.db, OPEN_STATES);
  let ended = 0;
  for (const id of ids) {
    const isEnded = await deps.db.transaction(async (tx) => {
      const record = await lockCommand(tx, id);
      const change = record && judgeByClock(record, deps.clock());
      const state = record && change && (await advanceCommand(tx, record, change));
      if (!state || state === 'refused') return false;
      await appendAudit(tx, {
        at: change.at,
        actor: 'clock:watch',
        action: 'command.ended',
        target: record.id,
        detail: { state, reason: change.message ?? null },
      });
      return true;
    });
    if (isEnded) ended += 1;
  }
  return ended;
}
