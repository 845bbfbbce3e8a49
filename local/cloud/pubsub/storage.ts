// What must survive a restart: topics, subscriptions, and messages not yet acknowledged. Leases are not kept: after a
// restart everything unacknowledged is delivered again, as after a lost lease.
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import * as z from 'zod';
import { InMessage, type StoredMessage, Subscription, Topic } from './resources.ts';

const SCHEMA = `
  PRAGMA journal_mode = WAL;
  PRAGMA synchronous = NORMAL;
  CREATE TABLE IF NOT EXISTS topics (name TEXT PRIMARY KEY, json TEXT NOT NULL);
  CREATE TABLE IF NOT EXISTS subscriptions (name TEXT PRIMARY KEY, json TEXT NOT NULL);
  CREATE TABLE IF NOT EXISTS messages (
    id INTEGER PRIMARY KEY AUTOINCREMENT, data BLOB NOT NULL, attributes TEXT NOT NULL, ordering_key TEXT NOT NULL, published_ms INTEGER NOT NULL
  );
  CREATE TABLE IF NOT EXISTS pending (
    subscription TEXT NOT NULL, message_id INTEGER NOT NULL, attempts INTEGER NOT NULL DEFAULT 0, PRIMARY KEY (subscription, message_id)
  );
  DELETE FROM messages WHERE id NOT IN (SELECT message_id FROM pending);
`;

const JsonRow = z.object({ json: z.string() });
const PendingRow = z.object({
  id: z.int(),
  data: z.instanceof(Uint8Array),
  attributes: z.string(),
  ordering_key: z.string(),
  published_ms: z.int(),
  attempts: z.int(),
});

export interface PendingMessage {
  message: StoredMessage;
  attempts: number;
}

export interface PubsubStorage {
  topics(): Topic[];
  subscriptions(): Subscription[];
  putTopic(topic: Topic): void;
  putSubscription(subscription: Subscription): void;
  /** Stores messages and to whom they are owed, all or none; returns them with their ids. */
  publish(messages: readonly InMessage[], subscriptions: readonly string[], nowMs: number): StoredMessage[];
  pending(subscription: string): PendingMessage[];
  attempted(subscription: string, messageId: string, attempts: number): void;
  settled(subscription: string, messageId: string): void;
  close(): void;
}

/** Opens the storage in a directory, or in memory. */
export function openStorage(dir: string | undefined): PubsubStorage {
  if (dir !== undefined) mkdirSync(dir, { recursive: true });
  const db = new DatabaseSync(dir === undefined ? ':memory:' : join(dir, 'pubsub.db'));
  db.exec(SCHEMA);
  const insertMessage = db.prepare(
    'INSERT INTO messages (data, attributes, ordering_key, published_ms) VALUES (?, ?, ?, ?)',
  );
  const insertPending = db.prepare('INSERT INTO pending (subscription, message_id) VALUES (?, ?)');
  const findPending = db.prepare(
    `SELECT id, data, attributes, ordering_key, published_ms, attempts FROM pending JOIN messages ON id = message_id
      WHERE subscription = ? ORDER BY id`,
  );
  const storeOne = (message: InMessage, subscriptions: readonly string[], nowMs: number): StoredMessage => {
    const { lastInsertRowid } = insertMessage.run(
      message.data,
      JSON.stringify(message.attributes),
      message.orderingKey,
      nowMs,
    );
    for (const name of subscriptions) insertPending.run(name, lastInsertRowid);
    return { ...message, id: String(lastInsertRowid), publishedMs: nowMs };
  };
  return {
    ...openResources(db),
    publish: (messages, subscriptions, nowMs) => {
      db.exec('BEGIN');
      try {
        const stored = messages.map((message) => storeOne(message, subscriptions, nowMs));
        db.exec('COMMIT');
        return stored;
      } catch (error) {
        db.exec('ROLLBACK');
        throw error;
      }
    },
    pending: (subscription) => PendingRow.array().parse(findPending.all(subscription)).map(toPending),
    attempted: (subscription, messageId, attempts) => {
      db.prepare('UPDATE pending SET attempts = ? WHERE subscription = ? AND message_id = ?').run(
        attempts,
        subscription,
        Number(messageId),
      );
    },
    settled: (subscription, messageId) => {
      const id = Number(messageId);
      db.prepare('DELETE FROM pending WHERE subscription = ? AND message_id = ?').run(subscription, id);
      db.prepare(
        'DELETE FROM messages WHERE id = ? AND NOT EXISTS (SELECT 1 FROM pending WHERE message_id = ?)',
      ).run(id, id);
    },
    close: () => db.close(),
  };
}

function toPending(row: z.infer<typeof PendingRow>): PendingMessage {
  return {
    attempts: row.attempts,
    message: {
      id: String(row.id),
      data: Buffer.from(row.data),
      attributes: InMessage.shape.attributes.parse(JSON.parse(row.attributes)),
      orderingKey: row.ordering_key,
      publishedMs: row.published_ms,
    },
  };
}

function openResources(db: DatabaseSync) {
  const all = (table: 'topics' | 'subscriptions'): unknown[] =>
    JsonRow.array()
      .parse(db.prepare(`SELECT json FROM ${table} ORDER BY name`).all())
      .map(({ json }) => JSON.parse(json) as unknown);
  const put = (table: 'topics' | 'subscriptions', name: string, value: unknown): void => {
    db.prepare(`INSERT OR REPLACE INTO ${table} (name, json) VALUES (?, ?)`).run(name, JSON.stringify(value));
  };
  return {
    topics: () => all('topics').map((json) => Topic.parse(json)),
    subscriptions: () => all('subscriptions').map((json) => Subscription.parse(json)),
    putTopic: (topic: Topic) => put('topics', topic.name, topic),
    putSubscription: (subscription: Subscription) => put('subscriptions', subscription.name, subscription),
  };
}
