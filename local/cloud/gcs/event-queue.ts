// Finalised events on the disk until Pub/Sub has taken them: at least once, in any order, with backoff.
// An event is written as `prepared-` before its object's commit and renamed to `ready-` after it; after a kill between
// the two, the object on the disk decides.
import { mkdirSync } from 'node:fs';
import { rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { messageOf } from '#shared/errors.ts';
import { pause, pauseMs } from '#shared/kit/backoff.ts';
import type { BucketRecord } from './bucket-schema.ts';
import { readJsonFiles, writeJson } from './disk.ts';
import { newEvent, type PublishNotification, StoredEvent, toNotification } from './event-message.ts';
import { EVENT_BACKOFF_MS, EVENT_RETENTION_MS, MAX_CONCURRENT_DELIVERIES } from './limits.ts';
import { type ObjectRecord, toObjectResource } from './object-schema.ts';

export interface PreparedEvent {
  /** The object is committed: deliver. */
  release(): Promise<void>;
  drop(): Promise<void>;
}

export interface EventQueueOptions {
  directory: string;
  clock: () => Date;
  /** The origin for the links in an event. */
  baseUrl: () => string;
  /** Undefined: objects make no event. */
  publish: PublishNotification | undefined;
}

interface Waiting {
  event: StoredEvent;
  attempts: number;
}

const NO_EVENT: PreparedEvent = { release: async () => {}, drop: async () => {} };

export class EventQueue {
  readonly #options: EventQueueOptions;
  readonly #due: Waiting[] = [];
  readonly #underWay = new Set<Promise<void>>();
  readonly #closing = new AbortController();

  constructor(options: EventQueueOptions) {
    this.#options = options;
    mkdirSync(options.directory, { recursive: true, mode: 0o700 });
  }

  async prepare(bucket: BucketRecord, record: ObjectRecord): Promise<PreparedEvent> {
    if (!this.#options.publish) return NO_EVENT;
    const data = toObjectResource(record, bucket, this.#options.baseUrl());
    const event = newEvent(record, { ...data });
    await writeJson(this.#path('prepared', event.id), event);
    return {
      release: () => this.#release(event),
      drop: () => rm(this.#path('prepared', event.id), { force: true }),
    };
  }

  /** Takes up what an earlier process left; `isCommitted` decides about events that were only prepared. */
  async recover(isCommitted: (event: StoredEvent) => boolean): Promise<void> {
    for (const [file, event] of await readJsonFiles(this.#options.directory, StoredEvent)) {
      if (file.startsWith('ready-')) this.#due.push({ event, attempts: 0 });
      else if (isCommitted(event)) await this.#release(event);
      else await rm(this.#path('prepared', event.id), { force: true });
    }
    this.#pump();
  }

  async close(): Promise<void> {
    this.#closing.abort();
    await Promise.all(this.#underWay);
  }

  async #release(event: StoredEvent): Promise<void> {
    await rename(this.#path('prepared', event.id), this.#path('ready', event.id));
    this.#due.push({ event, attempts: 0 });
    this.#pump();
  }

  #pump(): void {
    const { publish } = this.#options;
    while (publish && !this.#closing.signal.aborted && this.#underWay.size < MAX_CONCURRENT_DELIVERIES) {
      const next = this.#due.shift();
      if (!next) return;
      const delivery = this.#attempt(next, publish).finally(() => {
        this.#underWay.delete(delivery);
        this.#pump();
      });
      this.#underWay.add(delivery);
    }
  }

  async #attempt({ event, attempts }: Waiting, publish: PublishNotification): Promise<void> {
    try {
      if (this.#options.clock().getTime() - Date.parse(event.time) > EVENT_RETENTION_MS)
        log('ERROR', 'notification dropped unpublished after a day', event);
      else await publish(toNotification(event));
      await rm(this.#path('ready', event.id), { force: true });
    } catch (thrown) {
      if (this.#closing.signal.aborted) return;
      if (attempts === 0)
        log('WARNING', 'notification not taken, will be published again', event, messageOf(thrown));
      this.#retryLater({ event, attempts: attempts + 1 });
    }
  }

  #retryLater(waiting: Waiting): void {
    const { first, most } = EVENT_BACKOFF_MS;
    void pause(pauseMs(waiting.attempts, first, most, 0), this.#closing.signal).then(() => {
      this.#due.push(waiting);
      this.#pump();
    });
  }

  #path(state: 'prepared' | 'ready', id: string): string {
    return join(this.#options.directory, `${state}-${id}.json`);
  }
}

function log(severity: 'WARNING' | 'ERROR', msg: string, event: StoredEvent, cause?: string): void {
  const { id, bucket, name } = event;
  console.error(JSON.stringify({ severity, msg, service: 'gcs', eventId: id, bucket, object: name, cause }));
}
