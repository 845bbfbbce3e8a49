import { beforeEach, expect, test } from 'vitest';
import { withLease } from '#functions/backup/lease.ts';
import { recordBackup } from '#functions/backup/record.ts';
import { orderOverdueVerifications, requestVerification } from '#functions/backup/request.ts';
import { storeBackup } from '#test/fixtures/stored-backup.ts';
import { HOST, useBackupWorld } from './world.ts';

const MINUTE_MS = 60_000;
const world = useBackupWorld();

/** A backup whose event and first order were lost. */
beforeEach(async () => {
  await storeBackup(world.bucket, world.plan);
  await recordBackup(world.deps, world.report());
  world.deps.published.length = 0;
});

function afterMinutes(minutes: number): Promise<number> {
  world.deps.advance(minutes * MINUTE_MS);
  return orderOverdueVerifications(world.deps);
}

test('a verification that nobody closed is asked for again, once in half an hour', async () => {
  expect(await afterMinutes(29)).toBe(0);
  const asked = await Promise.all([afterMinutes(1), orderOverdueVerifications(world.deps)]);
  expect(asked.reduce((sum, count) => sum + count)).toBe(1);
  expect(await afterMinutes(29)).toBe(0);
  expect(await afterMinutes(1)).toBe(1);
  expect(
    world.deps.published.map(({ topic, message }) => [topic, JSON.parse(message.data.toString())]),
  ).toEqual(Array(2).fill(['lamplighter-verifications', { host: HOST, backupId: world.id }]));
});

test('a backup that was proven is left alone, until someone wants it verified again and nobody does', async () => {
  await world.verify();
  expect(await afterMinutes(60)).toBe(0);
  await requestVerification(world.deps, world.id);
  expect(await afterMinutes(1)).toBe(0);
  expect(await afterMinutes(30)).toBe(1);
});

test('one that is being gone through is left to whoever is at it', async () => {
  const key = { host: HOST, id: world.id };
  world.deps.advance(60 * MINUTE_MS);
  await withLease(world.deps, key, async () => {
    expect(await orderOverdueVerifications(world.deps)).toBe(0);
  });
  expect(await orderOverdueVerifications(world.deps)).toBe(1);
});

test('a host with a clock that is ahead does not put it off', async () => {
  await world.deps.db.query('DELETE FROM backups');
  await recordBackup(world.deps, { ...world.report(), at: '2030-01-01T00:00:00Z' });
  expect(await afterMinutes(30)).toBe(1);
  expect(await afterMinutes(1)).toBe(0);
});

test('what could not be published is told, and asked for again', async () => {
  const publisher = { ...world.deps.publisher, publish: () => Promise.reject(new Error('Pub/Sub is down')) };
  world.deps.advance(30 * MINUTE_MS);
  await expect(
    orderOverdueVerifications({ ...world.deps, publisher, clock: world.deps.clock }),
  ).rejects.toThrow('Pub/Sub is down');
  expect(await afterMinutes(30)).toBe(1);
});
