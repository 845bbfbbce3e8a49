// Puts the denials of minutes that are over into the audit trail, each source's with its count; called with every tick.
import type { Deps } from '../deps.ts';
import { appendAudit } from '../store/audit.ts';
import { takeDenialsBefore } from '../store/denials.ts';
import { minuteOf } from './recorder.ts';

/** More wait for the next tick: the trail has one writer at a time. */
const MAX_A_TICK = 200;

/** Gives how many rows were written. */
export async function settleDenials(deps: Pick<Deps, 'db' | 'clock'>): Promise<number> {
  return await deps.db.transaction(async (tx) => {
    const rows = await takeDenialsBefore(tx, minuteOf(deps.clock()), MAX_A_TICK);
    const untold = rows.filter((row) => row.untold > 0);
    for (const { minute, source, action, subject, untold: count, sample } of untold) {
      const detail = { ...sample, count, minute: minute.toISOString() };
      await appendAudit(tx, { at: deps.clock(), actor: source, action, target: subject, detail });
    }
    return untold.length;
  });
}
