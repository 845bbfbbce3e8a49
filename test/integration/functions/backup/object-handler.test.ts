import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { handleObjectFinalised } from '#functions/backup/object-handler.ts';
import type { Deps } from '#functions/deps.ts';
import { createTestDeps } from '#test/fixtures/deps.ts';
import { type FunctionServer, serveHandler } from '#test/fixtures/function-server.ts';

const FINALISED = 'google.cloud.storage.object.v1.finalized';
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

async function finalise(body: unknown, type = FINALISED): Promise<number> {
  const headers = {
    'content-type': 'application/json',
    'ce-specversion': '1.0',
    'ce-id': '1',
    'ce-source': '//storage.googleapis.com/projects/_/buckets/test-backups',
    'ce-type': type,
  };
  return (await fetch(server.url, { method: 'POST', body: JSON.stringify(body), headers })).status;
}

test('a manifest orders the verification of its backup', async () => {
  expect(await finalise({ bucket: 'test-backups', name: MANIFEST, size: '100' })).toBe(204);
  expect(deps.published.map(({ topic, message }) => [topic, JSON.parse(message.data.toString())])).toEqual([
    ['verifications', { host: 'web-1', backupId: '20261123T020000Z-1f3a9c' }],
  ]);
});

test.each<[string, unknown, string?]>([
  ['a part', { bucket: 'test-backups', name: MANIFEST.replace('manifest.json', 'database.dump.zst') }],
  ['another bucket', { bucket: 'other', name: MANIFEST }],
  ['another event', { bucket: 'test-backups', name: MANIFEST }, 'google.cloud.storage.object.v1.deleted'],
  ['a folder above', { bucket: 'test-backups', name: 'hosts/web-1/manifest.json' }],
  ['a folder below', { bucket: 'test-backups', name: MANIFEST.replace('manifest', 'x/manifest') }],
  ['a host that is none', { bucket: 'test-backups', name: MANIFEST.replace('web-1', '-web') }],
  ['a backup that is none', { bucket: 'test-backups', name: 'hosts/web-1/backups/../manifest.json' }],
  ['no object', {}],
])('is acknowledged and left alone: %s', async (_name, body, type) => {
  expect(await finalise(body, type)).toBe(204);
  expect(deps.published).toEqual([]);
});

test('the event comes again when the order could not be published', async () => {
  publishing = 'fails';
  expect(await finalise({ bucket: 'test-backups', name: MANIFEST })).toBe(500);
});
