import { readdirSync, renameSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeEach, expect, test } from 'vitest';
import type { Notification, PublishNotification } from '#local/cloud/gcs/event-message.ts';
import { checksumsOf, type RunningGcs, runGcs } from './running-server.ts';

let taken: Notification[];
/** Pub/Sub's answer to a notification. */
let publish: PublishNotification;
let gcs: RunningGcs;
beforeEach(async () => {
  taken = [];
  publish = take;
  gcs = await runGcs({ notify: (notification) => publish(notification) });
});
afterEach(async () => {
  await gcs.close();
});

const take: PublishNotification = (notification) => {
  taken.push(notification);
  return Promise.resolve();
};
const refuse: PublishNotification = () => Promise.reject(new Error('Pub/Sub is down'));
const names = () => taken.map(({ attributes }) => String(attributes['objectId'])).toSorted();
const queued = () => readdirSync(join(gcs.dataDir, 'events')).filter((name) => name.endsWith('.json'));

test('tells of a finalised object as Cloud Storage does in Pub/Sub', async () => {
  const name = 'vm1/dump ü 100%';
  await gcs.bucket.file(name).save('content', { resumable: true, contentType: 'text/plain' });
  await expect.poll(() => taken).toHaveLength(1);
  const [{ data, attributes }] = taken as [Notification];
  const [{ generation, updated }] = await gcs.bucket.file(name).getMetadata();
  expect(attributes).toEqual({
    notificationConfig: 'projects/_/buckets/backups/notificationConfigs/1',
    eventType: 'OBJECT_FINALIZE',
    payloadFormat: 'JSON_API_V1',
    bucketId: 'backups',
    objectId: name,
    objectGeneration: generation,
    eventTime: updated,
  });
  expect(JSON.parse(data.toString())).toMatchObject({
    ...checksumsOf(Buffer.from('content')),
    kind: 'storage#object',
    bucket: 'backups',
    name,
    generation,
    size: '7',
    contentType: 'text/plain',
    timeCreated: updated,
  });
  await expect.poll(() => queued()).toEqual([]);
});

test('tells of each way an object comes to be, not of a delete or a refused upload', async () => {
  const file = gcs.bucket.file('a');
  await file.save('1', { resumable: false });
  await file.save('2', { resumable: true });
  await file.save('x', { preconditionOpts: { ifGenerationMatch: 0 } }).catch(() => undefined);
  await file.delete();
  await expect.poll(() => queued()).toEqual([]);
  await sleep(50);
  expect(names()).toEqual(['a', 'a']);
});

test('publishes it again until Pub/Sub has taken it', async () => {
  let refusals = 2;
  publish = async (notification) => {
    if (refusals-- > 0) await refuse(notification);
    else await take(notification);
  };
  await gcs.bucket.file('again').save('x', { resumable: false });
  await expect.poll(() => names()).toEqual(['again']);
  await expect.poll(() => queued()).toEqual([]);
});

test('loses none over a restart', async () => {
  publish = refuse;
  await gcs.bucket.file('before').save('x', { resumable: false });
  await expect.poll(() => queued()).toHaveLength(1);
  await gcs.restart();
  await gcs.bucket.file('after').save('x', { resumable: false });
  expect(queued()).toHaveLength(2);
  publish = take;
  await expect.poll(() => queued()).toEqual([]);
  expect(names()).toEqual(['after', 'before']);
});

test('after a kill around a commit, tells of the object that is there and not of one that is not', async () => {
  publish = refuse;
  for (const name of ['there', 'gone']) await gcs.bucket.file(name).save('x', { resumable: false });
  await expect.poll(() => queued()).toHaveLength(2);
  await gcs.bucket.file('gone').delete();
  const directory = join(gcs.dataDir, 'events');
  for (const file of queued())
    renameSync(join(directory, file), join(directory, file.replace('ready-', 'prepared-')));
  await gcs.restart();
  publish = take;
  await expect.poll(() => names()).toEqual(['there']);
  await expect.poll(() => queued()).toEqual([]);
});

test('without a configuration nobody is told', async () => {
  const quiet = await runGcs();
  await quiet.bucket.file('quiet').save('x', { resumable: false });
  expect(readdirSync(join(quiet.dataDir, 'events'))).toEqual([]);
  await quiet.close();
});
