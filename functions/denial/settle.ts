// Copies the denials of past minutes into the audit trail, one entry for each source with its count. Runs with every tick.
import type { Deps } from '../deps.ts';
import { appendAudit } from '../store/audit.ts';
import { type DenialRow, takeDenialsBefore } from '../store/denials.ts';
import { MAX_ADDRESSES, minuteOf, OTHER_ADDRESSES } from './recorder.ts';

/** Further rows wait for the next tick. Several processes may each have told MAX_ADDRESSES addresses apart. */
const MAX_A_TICK = 2000;

/** Returns how many entries were written. The trail has one writer at a time, which many addresses must not block. */
export async function settleDenials(deps: Pick<Deps, 'db' | 'clock'>): Promise<number> {
  return await deps.db.transaction(async (tx) => {
    const rows = await takeDenialsBefore(tx, minuteOf(deps.clock()), MAX_A_TICK);
    const told = boundAddresses(rows.filter((row) => row.untold > 0));
    for (const { minute, source, action, subject, untold: count, sample } of told) {
      const detail = { ...sample, count, minute: minute.toISOString() };
      await appendAudit(tx, { at: deps.clock(), actor: source, action, target: subject, detail });
    }
    return told.length;
  });
}

function isAddress({ source }: DenialRow): boolean {
  return source.startsWith('address:') && source !== OTHER_ADDRESSES;
}

/**
 * Rows of authenticated callers come first, then for each minute the MAX_ADDRESSES addresses with the most denials. The other
 * addresses of a minute become one row for each action and subject.
 */
export function boundAddresses(rows: readonly DenialRow[]): DenialRow[] {
  const others = rows.filter((row) => row.source === OTHER_ADDRESSES);
  const told = rows.filter((row) => !isAddress(row) && row.source !== OTHER_ADDRESSES);
  for (const ofMinute of Map.groupBy(rows.filter(isAddress), ({ minute }) => minute.getTime()).values()) {
    const byCount = ofMinute.toSorted((a, b) => b.untold - a.untold);
    told.push(...byCount.slice(0, MAX_ADDRESSES));
    others.push(...byCount.slice(MAX_ADDRESSES));
  }
  return [...told, ...mergeOthers(others)];
}

function mergeOthers(rows: readonly DenialRow[]): DenialRow[] {
  const byThing = Map.groupBy(rows, ({ minute, action, subject }) =>
    JSON.stringify([minute.getTime(), action, subject]),
  );
  return [...byThing.values()].flatMap((same) => {
    const [first] = same;
    if (!first) return [];
    const untold = same.reduce((sum, row) => sum + row.untold, 0);
    return [{ ...first, source: OTHER_ADDRESSES, untold }];
  });
}
