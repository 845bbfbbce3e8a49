// One subscription's messages: their leases, their redelivery and their order.
import { randomUUID } from 'node:crypto';
import { pauseMs } from '#shared/kit/backoff.ts';
import { DEFAULT_MAX_BACKOFF_MS, DEFAULT_MIN_BACKOFF_MS, DEFAULT_RETENTION_MS } from './limits.ts';
import { type StoredMessage, type Subscription, toMs } from './resources.ts';
import type { PendingMessage } from './storage.ts';

interface Entry {
  message: StoredMessage;
  attempts: number;
  /** Set while a subscriber holds the message. */
  lease?: { ackId: string; untilMs: number };
  /** The message is not delivered before this time: retry backoff. */
  availableMs: number;
}

export interface Delivery {
  ackId: string;
  message: StoredMessage;
  /** Number of deliveries of the message, this one included. */
  attempt: number;
}

export interface QueueEvents {
  onAttempt(messageId: string, attempts: number): void;
  onSettled(messageId: string): void;
  /** The message's attempts are used up: it goes to the dead-letter topic. */
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

/** A queue for a subscription; clock and timers are the process's own. */
export function createQueue(subscription: Subscription, events: QueueEvents): Queue {
  return new SubscriptionQueue(subscription, events);
}

class SubscriptionQueue implements Queue {
  #subscription: Subscription;
  readonly #events: QueueEvents;
  readonly #entries = new Map<string, Entry>();
  readonly #leases = new Map<string, Entry>();
  readonly #listeners = new Set<() => void>();
  #timer: NodeJS.Timeout | undefined;

  constructor(subscription: Subscription, events: QueueEvents) {
    this.#subscription = subscription;
    this.#events = events;
  }

  add({ message, attempts }: PendingMessage): void {
    this.#entries.set(message.id, { message, attempts, availableMs: 0 });
    this.#announce();
  }

  take(max: number, deadlineMs: number): Delivery[] {
    this.#expireLeases();
    this.#dropExpired();
    const isOrdered = this.#subscription.enableMessageOrdering;
    const taken = deliverable(this.#entries.values(), isOrdered, max).map((entry) =>
      this.#lease(entry, deadlineMs),
    );
    this.#schedule();
    return taken;
  }

  ack(ackId: string): void {
    const entry = this.#leases.get(ackId);
    if (!entry) return;
    this.#leases.delete(ackId);
    this.#settle(entry);
    // The next message of its ordering key may go now.
    this.#announce();
  }

  modifyDeadline(ackId: string, deadlineMs: number): void {
    const entry = this.#leases.get(ackId);
    if (!entry?.lease) return;
    if (deadlineMs > 0) entry.lease.untilMs = Date.now() + deadlineMs;
    else this.#giveBack(entry);
    this.#schedule();
    this.#announce();
  }

  isLeased(ackId: string): boolean {
    return this.#leases.has(ackId);
  }

  onReady(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  update(changed: Subscription): void {
    this.#subscription = changed;
  }

  close(): void {
    clearTimeout(this.#timer);
  }

  #announce(): void {
    for (const listener of this.#listeners) listener();
  }

  #settle(entry: Entry): void {
    this.#entries.delete(entry.message.id);
    this.#events.onSettled(entry.message.id);
  }

  #giveBack(entry: Entry): void {
    if (entry.lease) this.#leases.delete(entry.lease.ackId);
    delete entry.lease;
    const { deadLetterPolicy: dead, retryPolicy } = this.#subscription;
    if (dead?.deadLetterTopic && entry.attempts >= dead.maxDeliveryAttempts) {
      this.#events.onDead(entry.message, entry.attempts);
      this.#settle(entry);
    } else {
      entry.availableMs = Date.now() + backoffMs(retryPolicy, entry.attempts);
    }
  }

  #expireLeases(): void {
    const now = Date.now();
    for (const entry of this.#leases.values()) {
      if (entry.lease && entry.lease.untilMs <= now) this.#giveBack(entry);
    }
  }

  #dropExpired(): void {
    const retentionMs = toMs(this.#subscription.messageRetentionDuration) ?? DEFAULT_RETENTION_MS;
    const oldest = Date.now() - retentionMs;
    for (const entry of this.#entries.values()) {
      // Entries are in the order of publishing: after the first that is young enough, all are.
      if (entry.message.publishedMs >= oldest) return;
      if (!entry.lease) this.#settle(entry);
    }
  }

  #lease(entry: Entry, deadlineMs: number): Delivery {
    entry.attempts += 1;
    const ackId = `${entry.message.id}-${entry.attempts}-${randomUUID()}`;
    entry.lease = { ackId, untilMs: Date.now() + deadlineMs };
    this.#leases.set(ackId, entry);
    this.#events.onAttempt(entry.message.id, entry.attempts);
    return { ackId, message: entry.message, attempt: entry.attempts };
  }

  /** Wakes up when the next lease runs out or the next backoff ends. */
  #schedule(): void {
    clearTimeout(this.#timer);
    const now = Date.now();
    let next = Number.POSITIVE_INFINITY;
    for (const { lease, availableMs } of this.#entries.values()) {
      const time = lease?.untilMs ?? availableMs;
      if (time > now && time < next) next = time;
    }
    if (next === Number.POSITIVE_INFINITY) return;
    // setTimeout may fire a millisecond early.
    this.#timer = setTimeout(() => this.#wake(), next - now + 1);
    this.#timer.unref();
  }

  #wake(): void {
    this.#expireLeases();
    this.#announce();
    this.#schedule();
  }
}

/** Wait before the next delivery after `attempts` failed ones: exponential between the policy's bounds; none without a policy. */
export function backoffMs(policy: Subscription['retryPolicy'], attempts: number): number {
  if (!policy) return 0;
  const min = toMs(policy.minimumBackoff) ?? DEFAULT_MIN_BACKOFF_MS;
  const max = toMs(policy.maximumBackoff) ?? DEFAULT_MAX_BACKOFF_MS;
  return pauseMs(Math.min(Math.max(attempts, 1), 30), min, max, 0);
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
