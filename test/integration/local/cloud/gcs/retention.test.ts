import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { type RunningGcs, runGcs, statusOf } from './running-server.ts';

const DAY_MS = 24 * 60 * 60 * 1_000;
const SIMPLE = { resumable: false } as const;

let now = Date.parse('2026-11-23T00:00:00Z');
let gcs: RunningGcs;
beforeAll(async () => {
  gcs = await runGcs({ clock: () => new Date(now) });
});
beforeEach(() => gcs.bucket.setMetadata({ retentionPolicy: null, defaultEventBasedHold: false }));
afterAll(() => gcs.close());

const WAYS = {
  delete: (name: string) => gcs.bucket.file(name).delete(),
  'a simple overwrite': (name: string) => gcs.bucket.file(name).save('new', SIMPLE),
  'a resumable overwrite': (name: string) => gcs.bucket.file(name).save('new', { resumable: true }),
  'a copy onto it': (name: string) => gcs.bucket.file('source').copy(gcs.bucket.file(name)),
};

test.each(Object.entries(WAYS))('the retention policy refuses %s until it ends', async (way, replace) => {
  await gcs.bucket.file('source').save('new', SIMPLE);
  await gcs.bucket.setRetentionPeriod(30 * 24 * 60 * 60);
  const file = gcs.bucket.file(`retained/${way}`);
  await file.save('old', SIMPLE);
  expect(file.metadata.retentionExpirationTime).toBe(new Date(now + 30 * DAY_MS).toISOString());
  now += 30 * DAY_MS - 1;
  expect(await statusOf(replace(file.name))).toBe(403);
  expect((await file.download())[0].toString()).toBe('old');
  now += 1;
  await replace(file.name);
});

test('gives the reason that Google gives', async () => {
  await gcs.bucket.setRetentionPeriod(60);
  await gcs.bucket.file('reason').save('x', SIMPLE);
  const path = `${gcs.server.url}/storage/v1/b/backups/o/reason`;
  const answer = await fetch(path, { method: 'DELETE' });
  expect(await answer.json()).toMatchObject({
    error: { code: 403, errors: [{ domain: 'global', reason: 'retentionPolicyNotMet' }] },
  });
  await gcs.bucket.file('reason').setMetadata({ temporaryHold: true });
  const held = await fetch(path, { method: 'DELETE' });
  expect(await held.json()).toMatchObject({ error: { errors: [{ reason: 'objectUnderActiveHold' }] } });
});

test.each(['temporaryHold', 'eventBasedHold'])('a %s refuses until it is released', async (hold) => {
  const file = gcs.bucket.file(hold);
  await file.save('old', { ...SIMPLE, metadata: { [hold]: true } });
  for (const replace of Object.values(WAYS)) expect(await statusOf(replace(file.name))).toBe(403);
  await file.setMetadata({ metadata: { changing: 'is allowed' } });
  await file.setMetadata({ [hold]: false });
  await file.delete();
});

test('counts the retention period from the release of an event-based hold', async () => {
  await gcs.bucket.setMetadata({ defaultEventBasedHold: true });
  await gcs.bucket.setRetentionPeriod(30 * 24 * 60 * 60);
  const file = gcs.bucket.file('event-based');
  await file.save('x', SIMPLE);
  expect(file.metadata).toMatchObject({ eventBasedHold: true });
  now += 100 * DAY_MS;
  await file.setMetadata({ eventBasedHold: false });
  expect(await statusOf(file.delete())).toBe(403);
  now += 30 * DAY_MS;
  await file.delete();
});

test('a locked policy only grows, over a restart', async () => {
  const [bucket] = await gcs.bucket.storage.createBucket('locked');
  const [{ metageneration = 0 }] = await bucket.setRetentionPeriod(100);
  expect(await statusOf(bucket.lock(9))).toBe(412);
  await bucket.lock(metageneration);
  await gcs.restart();
  expect(await statusOf(bucket.setRetentionPeriod(99))).toBe(403);
  expect(await statusOf(bucket.removeRetentionPeriod())).toBe(403);
  await bucket.setRetentionPeriod(101);
  expect((await bucket.getMetadata())[0].retentionPolicy).toMatchObject({
    retentionPeriod: '101',
    isLocked: true,
  });
});
