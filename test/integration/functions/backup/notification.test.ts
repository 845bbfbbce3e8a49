// The way of a finalised backup from the bucket to an order, over the wire: Cloud Storage's notification, its topic, the
// push subscription with our own audience, the entry point's check of the token.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PubSub } from '@google-cloud/pubsub';
import { Storage } from '@google-cloud/storage';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { handleObjectFinalised } from '#functions/backup/object-handler.ts';
import { createCallerVerifier } from '#functions/cloud/oidc.ts';
import type { Deps } from '#functions/deps.ts';
import { type GcsServer, startGcs } from '#local/cloud/gcs/server.ts';
import { type IdentityServer, startIdentityServer } from '#local/cloud/identity/server.ts';
import { createTokenMint } from '#local/cloud/identity/token-mint.ts';
import { type PubsubServer, startPubsub } from '#local/cloud/pubsub/server.ts';
import { PROJECT_ID, serviceAccountEmail } from '#local/stack/identities.ts';
import { type Notifier, openNotifier } from '#local/stack/notifications.ts';
import { provisionPubsub } from '#local/stack/provision.ts';
import { createTestDeps } from '#test/fixtures/deps.ts';
import { type FunctionServer, serveHandler } from '#test/fixtures/function-server.ts';

const dir = mkdtempSync(join(tmpdir(), 'lamplighter-notification-'));
const mint = createTokenMint();
const verifyObject = createTestDeps({} as Deps['db']);
let identity: IdentityServer;
let pubsub: PubsubServer;
let notifier: Notifier;
let gcs: GcsServer;
let server: FunctionServer;

beforeAll(async () => {
  identity = await startIdentityServer(mint, PROJECT_ID);
  server = await serveHandler(handleObjectFinalised(verifyObject));
  const audience = server.url;
  verifyObject.verifyCaller = createCallerVerifier({
    audience,
    callers: [serviceAccountEmail('push')],
    certsUrl: identity.certsUrl,
  });
  pubsub = await startPubsub({
    host: '127.0.0.1',
    port: 0,
    dataDir: join(dir, 'pubsub'),
    mintIdToken: mint.mintIdToken,
  });
  const client = new PubSub({ projectId: PROJECT_ID, apiEndpoint: pubsub.address, emulatorMode: true });
  const target = { endpoint: audience, serviceAccountEmail: serviceAccountEmail('push') };
  await provisionPubsub({
    pubsub: client,
    hosts: [],
    pushTarget: (entryPoint) => (entryPoint === 'verify-object' ? target : undefined),
  });
  await client.close();
  notifier = openNotifier(pubsub.address);
  gcs = await startGcs({ host: '127.0.0.1', dataDir: join(dir, 'gcs'), notify: notifier.publish });
});
afterAll(async () => {
  await gcs?.close();
  await notifier?.close();
  await pubsub?.close();
  await server?.close();
  await identity?.close();
  rmSync(dir, { recursive: true, force: true });
});

test('a manifest in the bucket orders the verification of its backup, once', async () => {
  const bucket = new Storage({ apiEndpoint: gcs.url, projectId: PROJECT_ID }).bucket('test-backups');
  await bucket.create();
  const backup = 'hosts/web-1/backups/20261123T020000Z-1f3a9c';
  await bucket.file(`${backup}/database.dump.zst`).save('dump', { resumable: false });
  await bucket.file(`${backup}/manifest.json`).save('{}', { resumable: false });
  const outcomes = () => verifyObject.logged.map(({ outcome }) => String(outcome));
  await expect.poll(() => outcomes().toSorted()).toEqual(['not a manifest', 'ordered']);
  expect(
    verifyObject.published.map(({ topic, message }) => [topic, JSON.parse(message.data.toString())]),
  ).toEqual([['lamplighter-verifications', { host: 'web-1', backupId: '20261123T020000Z-1f3a9c' }]]);
});
