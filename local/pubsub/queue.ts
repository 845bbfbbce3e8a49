// One subscription's messages: who has which under which lease, what is delivered again when, in what order.
import { randomUUID } from 'node:crypto';
import { backoffMs } from './backoff.ts';
import { DEFAULT_RETENTION_MS } from './limits.ts';
import { type StoredMessage, type Subscription, toMs } from './resources.ts';
import type { PendingMessage } from './storage.ts';

interface Entry {
  message: StoredMessage;
  attempts: number;
  /** Set while somebody has it. */
  lease?: { ackId: string; untilMs: number };
  /** Not before: retry backoff. */
  availableMs: number;
}

export interface Delivery {
  ackId: string;
  message: StoredMessage;
  /** How often it was delivered, this time included. */
  attempt: number;
}

export interface QueueEvents {
  onAttempt(messageId: string, attempts: number): void;
  onSettled(messageId: string): void;
  /** Its attempts are used up: it goes to the dead-letter topic. */
  onDead(message: StoredMessage, attempts: number): void;
}

export interface Queue {
  add(pending: PendingMessage): void;
  /** Up to `max` deliveries, leased for `deadlineMs`. */
  take(max: number, deadlineMs: number): Delivery[];
  ack(ackId: string): void;
  /** Extends a lease; zero gives the message back. */
  modifyDeadline(ackId: string, deadlineMs: number): void;
  /** True while the lease is held. */
  isLeased(ackId: string): boolean;
  /** Calls back whenever something may have become deliverable; returns how to stop. */
  onReady(listener: () => void): () => void;
  update(subscription: Subscription): void;
  close(): void;
}

/** A queue for a subscription; `now` and timers are the process's own. */
export function createQueue(initial: Subscription, events: QueueEvents): Queue {
  let subscription = initial;
  const entries = new Map<string, Entry>();
  const leases = new Map<string, Entry>();
  const listeners = new Set<() => void>();
  let timer: NodeJS.Timeout | undefined;

  const announce = (): void => {
    for (const listener of listeners) listener();
  };
  const settle = (entry: Entry): void => {
    entries.delete(entry.message.id);
    events.onSettled(entry.message.id);
  };
  const giveBack = (entry: Entry): void => {
    if (entry.lease) leases.delete(entry.lease.ackId);
    delete entry.lease;
    const dead = subscription.deadLetterPolicy;
    if (dead?.deadLetterTopic && entry.attempts >= dead.maxDeliveryAttempts) {
      events.onDead(entry.message, entry.attempts);
      settle(entry);
    } else {
      entry.availableMs = Date.now() + backoffMs(subscription.retryPolicy, entry.attempts);
    }
  };
  const expireLeases = (): void => {
    const now = Date.now();
    for (const entry of leases.values()) if (entry.lease && entry.lease.untilMs <= now) giveBack(entry);
  };
  const schedule = (): void => {
    clearTimeout(timer);
    const now = Date.now();
    const times = [...entries.values()]
      .map(({ lease, availableMs }) => lease?.untilMs ?? availableMs)
      .filter((time) => time > now);
    if (times.length === 0) return;
    // setTimeout may fire a millisecond early.
    timer = setTimeout(
      () => {
        expireLeases();
        announce();
        schedule();
      },
      Math.min(...times) - now + 1,
    );
    timer.unref();
  };
  const dropExpired = (): void => {
    const oldest = Date.now() - (toMs(subscription.messageRetentionDuration) ?? DEFAULT_RETENTION_MS);
    for (const entry of entries.values())
      if (!entry.lease && entry.message.publishedMs < oldest) settle(entry);
  };
  const lease = (entry: Entry, deadlineMs: number): Delivery => {
    entry.attempts += 1;
    const ackId = `${entry.message.id}-${entry.attempts}-${randomUUID()}`;
    entry.lease = { ackId, untilMs: Date.now() + deadlineMs };
    leases.set(ackId, entry);
    events.onAttempt(entry.message.id, entry.attempts);
    return { ackId, message: entry.message, attempt: entry.attempts };
  };
  return {
    add: ({ message, attempts }) => {
      entries.set(message.id, { message, attempts, availableMs: 0 });
      announce();
    },
    take: (max, deadlineMs) => {
      expireLeases();
      dropExpired();
      const taken = deliverable(entries.values(), subscription.enableMessageOrdering, max).map((entry) =>
        lease(entry, deadlineMs),
      );
      schedule();
      return taken;
    },
    ack: (ackId) => {
      const entry = leases.get(ackId);
      if (!entry) return;
      leases.delete(ackId);
      settle(entry);
      // The next message of its ordering key may go now.
      announce();
    },
    modifyDeadline: (ackId, deadlineMs) => {
      const entry = leases.get(ackId);
      if (!entry?.lease) return;
      if (deadlineMs > 0) entry.lease.untilMs = Date.now() + deadlineMs;
      else giveBack(entry);
      schedule();
      announce();
    },
    isLeased: (ackId) => leases.has(ackId),
    onReady: (listener) => {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    update: (changed) => {
      subscription = changed;
    },
    close: () => clearTimeout(timer),
  };
}

/** The entries that may go out now, oldest first; with ordering, of each key only its oldest. */
function deliverable(entries: Iterable<Entry>, isOrdered: boolean, max: number): Entry[] {
  const now = Date.now();
  const seenKeys = new Set<string>();
  const found: Entry[] = [];
  for (const entry of entries) {
    if (found.length >= max) break;
    const key = isOrdered ? entry.message.orderingKey : '';
    const isBehind = key !== '' && seenKeys.has(key);
    if (key !== '') seenKeys.add(key);
    if (!isBehind && !entry.lease && entry.availableMs <= now) found.push(entry);
  }
  return found;
}
