import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { handleObjectFinalised } from '#functions/backup/object-handler.ts';
import type { Deps } from '#functions/deps.ts';
import { createTestDeps } from '#test/fixtures/deps.ts';
import { type FunctionServer, serveHandler } from '#test/fixtures/function-server.ts';

const MANIFEST = 'hosts/web-1/backups/20261123T020000Z-1f3a9c/manifest.json';
// This entry point asks the database nothing.
const deps = createTestDeps({} as Deps['db']);
let server: FunctionServer;
let publishing: 'works' | 'fails' = 'works';

beforeAll(async () => {
  const { publish } = deps.publisher;
  deps.publisher.publish = (...args) =>
    publishing === 'works' ? publish(...args) : Promise.reject(new Error('Pub/Sub is down'));
  server = await serveHandler(handleObjectFinalised(deps));
});
afterAll(async () => {
  await server?.close();
});
beforeEach(() => {
  deps.published.length = 0;
});

/** A push of a notification, as Cloud Storage words it (cloud.google.com/storage/docs/pubsub-notifications). */
async function push(attributes: Record<string, string>): Promise<number> {
  const message = {
    messageId: '1',
    data: Buffer.from('{"kind":"storage#object"}').toString('base64'),
    attributes: { payloadFormat: 'JSON_API_V1', objectGeneration: '1', ...attributes },
  };
  const body = { message, subscription: 'projects/test/subscriptions/lamplighter-objects' };
  const headers = { 'content-type': 'application/json' };
  return (await fetch(server.url, { method: 'POST', body: JSON.stringify(body), headers })).status;
}

const FINALISED = { eventType: 'OBJECT_FINALIZE', bucketId: 'test-backups', objectId: MANIFEST };

test('a manifest orders the verification of its backup', async () => {
  expect(await push(FINALISED)).toBe(204);
  expect(deps.published.map(({ topic, message }) => [topic, JSON.parse(message.data.toString())])).toEqual([
    ['lamplighter-verifications', { host: 'web-1', backupId: '20261123T020000Z-1f3a9c' }],
  ]);
});

test.each<[string, Record<string, string>]>([
  ['a part', { objectId: MANIFEST.replace('manifest.json', 'database.dump.zst') }],
  ['another bucket', { bucketId: 'other' }],
  ['another event', { eventType: 'OBJECT_DELETE' }],
  ['a folder above', { objectId: 'hosts/web-1/manifest.json' }],
  ['a folder below', { objectId: MANIFEST.replace('manifest', 'x/manifest') }],
  ['a host that is none', { objectId: MANIFEST.replace('web-1', '-web') }],
  ['a host with too long a name', { objectId: MANIFEST.replace('web-1', 'w'.repeat(21)) }],
  ['a backup that is none', { objectId: 'hosts/web-1/backups/../manifest.json' }],
  ['no object', { objectId: '' }],
])('is acknowledged and left alone: %s', async (_name, change) => {
  expect(await push({ ...FINALISED, ...change })).toBe(204);
  expect(deps.published).toEqual([]);
});

test('the notification comes again when the order could not be published', async () => {
  publishing = 'fails';
  expect(await push(FINALISED)).toBe(500);
});
