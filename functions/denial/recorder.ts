// Records every denial, counted by source and minute, so that a flood of denials is one row with a count. The first denial of
// an authenticated caller in a minute goes into the audit trail at once; the rest follow with a tick (settle.ts).
import type { Deps } from '../deps.ts';
import { appendAudit } from '../store/audit.ts';
import { countDenials, type DenialKey, markTold } from '../store/denials.ts';

export interface Denial {
  /** Who was denied: `kind:name` when authenticated (a token, a host's key), else the address. */
  source: string;
  isProven: boolean;
  /** `rbac_denied`, `auth_denied`, `rate_limited`, `report.refused`, `message.refused`. */
  action: string;
  /** What was denied, from a fixed list: a caller's own text would make a row of each denial. */
  subject: string;
  /** Never a secret. */
  detail: Record<string, unknown>;
}

export interface DenialRecorder {
  /** True when the denial was recorded; false when that failed, which is logged. */
  note(denial: Denial): Promise<boolean>;
}

/** Addresses that a process tells apart in a minute; all further addresses are counted as one. */
export const MAX_ADDRESSES = 20;
/** The source of all further addresses. */
export const OTHER_ADDRESSES = 'address:others';
const MAX_TEXT_LENGTH = 300;
const MINUTE_MS = 60_000;

interface Counted {
  key: DenialKey;
  denial: Denial;
  count: number;
}

function clip(detail: Record<string, unknown>): Record<string, unknown> {
  return Object.fromEntries(
    Object.entries(detail).map(([name, value]) => [
      name,
      typeof value === 'string' ? value.slice(0, MAX_TEXT_LENGTH) : value,
    ]),
  );
}

/** The start of the minute of `at`. */
export function minuteOf(at: Date): Date {
  return new Date(Math.floor(at.getTime() / MINUTE_MS) * MINUTE_MS);
}

/** The recorder of this process. It has one write at a time; denials that arrive meanwhile are written together. */
export function createDenialRecorder(
  deps: Pick<Deps, 'db' | 'clock' | 'log'>,
  entryPoint: string,
): DenialRecorder {
  let waiting = new Map<string, Counted>();
  let next: Promise<boolean> | undefined;
  let current: Promise<unknown> = Promise.resolve();
  let seen = { minuteMs: 0, sources: new Set<string>() };

  function sourceOf({ source, isProven }: Denial, minute: Date): string {
    if (isProven) return source;
    if (seen.minuteMs !== minute.getTime()) seen = { minuteMs: minute.getTime(), sources: new Set() };
    if (seen.sources.size < MAX_ADDRESSES) seen.sources.add(source);
    return seen.sources.has(source) ? source : OTHER_ADDRESSES;
  }

  async function flush(): Promise<boolean> {
    const batch = waiting;
    waiting = new Map();
    next = undefined;
    // All processes write in the same order, so that no two deadlock.
    const counted = [...batch.entries()].toSorted(([a], [b]) => (a < b ? -1 : 1));
    try {
      await deps.db.transaction(async (tx) => {
        for (const [, one] of counted) await write(deps, tx, one, entryPoint);
      });
      return true;
    } catch (error) {
      deps.log.error('denials could not be written down', error, { denials: counted.length });
      return false;
    }
  }

  return {
    note: (denial) => {
      const minute = minuteOf(deps.clock());
      const source = sourceOf(denial, minute);
      const { action, subject } = denial;
      const id = JSON.stringify([minute, source, action, subject]);
      const known = waiting.get(id);
      if (known) known.count += 1;
      else waiting.set(id, { key: { minute, source, action, subject }, denial, count: 1 });
      if (!next) {
        next = current.then(flush);
        current = next;
      }
      return next;
    },
  };
}

async function write(
  deps: Pick<Deps, 'clock'>,
  tx: Parameters<typeof appendAudit>[0],
  { key, denial, count }: Counted,
  entryPoint: string,
): Promise<void> {
  const sample = { ...clip(denial.detail), entryPoint };
  const noted = await countDenials(tx, key, { count, untold: count, sample });
  if (!denial.isProven || noted > count) return;
  await markTold(tx, key, count);
  await appendAudit(tx, {
    at: deps.clock(),
    actor: key.source,
    action: key.action,
    target: key.subject,
    detail: { ...sample, count },
  });
}
