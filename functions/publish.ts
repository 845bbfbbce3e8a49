// Publishes the messages of an outbox, whichever: at once after the commit that wrote their rows, and with every tick what
// is due again.
import { LamplighterError } from '#shared/errors.ts';
import type { Deps } from './deps.ts';
import { claimDue, type Outbox, postpone } from './store/outbox.ts';

export interface Publishing<K extends Record<string, string>> {
  outbox: Outbox<K>;
  /** Publishes a row's message. Throws when that failed. */
  publish(row: K): Promise<void>;
  /** How long nothing may come of a message before it is published again. */
  againAfterMs: number;
  /** Rows of one lane are published in the order of their keys, and after a failure that may pass no more of them. Default: all at once. */
  laneOf?(row: K): string;
}

type PublishDeps = Pick<Deps, 'db' | 'clock'>;

/** What a tick claimed and could not publish, or was killed with, is due again after this. */
const CLAIM_MS = 30_000;
const BATCH = 50;

/** Publishes these rows' messages; gives what failed. Those rows stay due. */
export async function publishRows<K extends Record<string, string>>(
  deps: PublishDeps,
  { outbox, publish, againAfterMs, laneOf }: Publishing<K>,
  rows: readonly K[],
): Promise<unknown[]> {
  const failures: unknown[] = [];
  const keyOf = (row: K): string => outbox.key.map((column) => row[column]).join(' ');
  const lanes = Map.groupBy(rows, laneOf ?? keyOf);
  const runLane = async (lane: readonly K[]): Promise<void> => {
    for (const row of lane) {
      try {
        await publish(row);
        await postpone(deps.db, outbox, row, new Date(deps.clock().getTime() + againAfterMs));
      } catch (error) {
        failures.push(error);
        if (!(error instanceof LamplighterError) || error.retryable) return;
      }
    }
  };
  await Promise.all(
    [...lanes.values()].map((lane) => runLane(lane.toSorted((a, b) => (keyOf(a) < keyOf(b) ? -1 : 1)))),
  );
  return failures;
}

/** Publishes what is due; gives how many rows that were, and what failed. */
export async function publishDue<K extends Record<string, string>>(
  deps: PublishDeps,
  publishing: Publishing<K>,
): Promise<{ due: number; failures: unknown[] }> {
  const now = deps.clock();
  const nextPublishAt = new Date(now.getTime() + CLAIM_MS);
  const rows = await claimDue(deps.db, publishing.outbox, { now, nextPublishAt, limit: BATCH });
  return { due: rows.length, failures: await publishRows(deps, publishing, rows) };
}
