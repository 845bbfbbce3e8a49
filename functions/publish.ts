// Publishes the messages of an outbox: at once after the commit that stored their rows, and with every tick those that are
// due again.
import { LamplighterError } from '#shared/errors.ts';
import { createBudget } from '#shared/kit/deadline.ts';
import type { Deps } from './deps.ts';
import { claimDue, type Outbox, postpone } from './store/outbox.ts';

export interface Publishing<K extends Record<string, string>> {
  outbox: Outbox<K>;
  /** Publishes a row's message. Throws when that failed. */
  publish(row: K): Promise<void>;
  /** After this time without a result, a message is published again. */
  againAfterMs: number;
  /** Rows of one lane go out one after the other, by their keys; a retryable failure ends the lane. Default: all at once. */
  laneOf?(row: K): string;
  /** After this time no further row is published; those left are due again. Default: none is left. */
  withinMs?: number;
  /** Lanes at the same time. Default: all. */
  width?: number;
}

type PublishDeps = Pick<Deps, 'db' | 'clock'>;

/** Claimed rows that were not published are due again after this time; longer than publishing them takes. */
const CLAIM_MS = 45_000;
const BATCH = 50;

/** Publishes these rows' messages and returns the failures. Failed rows stay due. */
export async function publishRows<K extends Record<string, string>>(
  deps: PublishDeps,
  { outbox, publish, againAfterMs, laneOf, withinMs, width }: Publishing<K>,
  rows: readonly K[],
): Promise<unknown[]> {
  const failures: unknown[] = [];
  const budget = withinMs === undefined ? undefined : createBudget(withinMs);
  const keyOf = (row: K): string => outbox.key.map((column) => row[column]).join(' ');
  const lanes = Map.groupBy(rows, laneOf ?? keyOf);
  const runLane = async (lane: readonly K[]): Promise<void> => {
    for (const row of lane) {
      if (budget && budget.remainingMs() <= 0) return;
      try {
        await publish(row);
        await postpone(deps.db, outbox, row, new Date(deps.clock().getTime() + againAfterMs));
      } catch (error) {
        failures.push(error);
        if (!(error instanceof LamplighterError) || error.retryable) return;
      }
    }
  };
  const queue = [...lanes.values()].map((lane) => lane.toSorted((a, b) => (keyOf(a) < keyOf(b) ? -1 : 1)));
  const worker = async (): Promise<void> => {
    for (let lane = queue.shift(); lane !== undefined; lane = queue.shift()) await runLane(lane);
  };
  await Promise.all(Array.from({ length: Math.min(width ?? queue.length, queue.length) }, worker));
  return failures;
}

/** Publishes the due rows' messages; returns how many rows were due, and the failures. */
export async function publishDue<K extends Record<string, string>>(
  deps: PublishDeps,
  publishing: Publishing<K>,
): Promise<{ due: number; failures: unknown[] }> {
  const now = deps.clock();
  const nextPublishAt = new Date(now.getTime() + CLAIM_MS);
  const rows = await claimDue(deps.db, publishing.outbox, { now, nextPublishAt, limit: BATCH });
  return { due: rows.length, failures: await publishRows(deps, publishing, rows) };
}
