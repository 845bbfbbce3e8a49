import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest';
import { announceCommand } from '#functions/store/commands.ts';
import { type CommandListener, createCommandListener } from '#functions/store/listen.ts';
import { HUNG_MS } from '#test/fixtures/patience.ts';
import { createTestDatabase, type TestDatabase } from '#test/fixtures/postgres.ts';

const ID = '0197c2aa-0000-7000-8000-000000000001';
const OTHER = '0197c2aa-0000-7000-8000-000000000002';
/** A name that is announced only until it is heard, so that a test does not take a late announcement for its own. */
const HELLO = '0197c2aa-0000-7000-8000-000000000003';
/** A wait that only an announcement ends: by the clock it outlasts its test. */
const FOREVER_MS = 2 * HUNG_MS;
const never = new AbortController().signal;
let database: TestDatabase;
let listener: CommandListener;

beforeAll(async () => {
  database = await createTestDatabase();
});
afterAll(() => database.drop());
beforeEach(async () => {
  listener = createCommandListener(database.db);
  await untilHeard();
});
afterEach(() => listener.close());

/** LISTEN takes a moment: announces until it is heard. */
async function untilHeard(): Promise<void> {
  const watch = listener.watch(HELLO);
  try {
    for (let tries = 0; tries < 100; tries++) {
      const startedAt = performance.now();
      await announceCommand(database.db, HELLO);
      await watch.next(100, never);
      if (performance.now() - startedAt < 95) return;
      // A lost connection is made anew by the next one who waits.
      listener.watch(HELLO).stop();
    }
    throw new Error('nothing was heard');
  } finally {
    watch.stop();
  }
}

async function took(work: Promise<void>): Promise<number> {
  const startedAt = performance.now();
  await work;
  return performance.now() - startedAt;
}

test('a change is heard by those who wait for this command and by nobody else', async () => {
  const [watch, second, other] = [listener.watch(ID), listener.watch(ID), listener.watch(OTHER)];
  const waiting = Promise.all([watch, second].map((one) => one.next(FOREVER_MS, never)));
  const silent = took(other.next(400, never));
  await announceCommand(database.db, ID);
  await waiting;
  expect(await silent).toBeGreaterThan(380);
  for (const one of [watch, second, other]) one.stop();
});

test('a change between two waits is not missed', async () => {
  const watch = listener.watch(ID);
  await announceCommand(database.db, ID);
  await new Promise((resolve) => setTimeout(resolve, 100));
  await watch.next(FOREVER_MS, never);
  expect(await took(watch.next(100, never))).toBeGreaterThan(90);
  watch.stop();
});

test('a wait ends when its reader goes', async () => {
  const watch = listener.watch(ID);
  const gone = new AbortController();
  setTimeout(() => gone.abort(), 50);
  await watch.next(FOREVER_MS, gone.signal);
  watch.stop();
});

test('a connection that is cut is made again', async () => {
  await database.db.query(
    `SELECT pg_terminate_backend(pid) FROM pg_stat_activity
     WHERE datname = current_database() AND query LIKE 'LISTEN%'`,
  );
  await untilHeard();
});
