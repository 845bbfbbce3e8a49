import { readdirSync, renameSync } from 'node:fs';
import { createServer, type IncomingHttpHeaders, type Server } from 'node:http';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { setTimeout as sleep } from 'node:timers/promises';
import { OAuth2Client } from 'google-auth-library';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { createTokenMint } from '#local/identity/token-mint.ts';
import { checksumsOf, type RunningGcs, runGcs } from './running-server.ts';

interface Delivery {
  headers: IncomingHttpHeaders;
  data: Record<string, unknown>;
}

interface Target {
  url: string;
  deliveries: Delivery[];
  /** What to answer, in turn; 204 when there is nothing left. */
  answers: number[];
  server: Server;
}

async function startTarget(): Promise<Target> {
  const server = createServer((request, response) => {
    void text(request).then((body) => {
      target.deliveries.push({ headers: request.headers, data: JSON.parse(body) });
      response.writeHead(target.answers.shift() ?? 204).end();
    });
  });
  const target: Target = { url: '', deliveries: [], answers: [], server };
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  if (typeof address === 'object' && address) target.url = `http://127.0.0.1:${address.port}/`;
  return target;
}

let target: Target;
let gcs: RunningGcs;
beforeEach(async () => {
  target = await startTarget();
  gcs = await runGcs();
});
afterEach(async () => {
  await gcs.close();
  target.server.closeAllConnections();
  await new Promise((resolve) => target.server.close(resolve));
});

const queued = () => readdirSync(join(gcs.dataDir, 'events')).filter((name) => name.endsWith('.json'));
const until = (check: () => void) => vi.waitFor(check, { timeout: 5_000, interval: 10 });

test('tells of a finalised object as Eventarc does', async () => {
  gcs.server.setEventTarget({ url: target.url });
  const name = 'vm1/dump ü 100%';
  await gcs.bucket.file(name).save('content', { resumable: true, contentType: 'text/plain' });
  await until(() => expect(target.deliveries).toHaveLength(1));
  const [{ headers, data }] = target.deliveries as [Delivery];
  const [{ generation, updated }] = await gcs.bucket.file(name).getMetadata();
  expect(headers).toMatchObject({
    'content-type': 'application/json',
    'ce-specversion': '1.0',
    'ce-type': 'google.cloud.storage.object.v1.finalized',
    'ce-source': '//storage.googleapis.com/projects/_/buckets/backups',
    'ce-subject': 'objects/vm1/dump%20%C3%BC%20100%25',
    'ce-time': updated,
    'ce-id': expect.stringMatching(/.{8,}/),
  });
  expect(headers.authorization).toBeUndefined();
  expect(data).toMatchObject({
    ...checksumsOf(Buffer.from('content')),
    kind: 'storage#object',
    bucket: 'backups',
    name,
    generation,
    size: '7',
    contentType: 'text/plain',
    timeCreated: updated,
  });
  await until(() => expect(queued()).toEqual([]));
});

test('makes an event for each way an object comes to be, none for a patch, a delete or a refused upload', async () => {
  gcs.server.setEventTarget({ url: target.url });
  const file = gcs.bucket.file('a');
  await file.save('1', { resumable: false });
  await file.save('2', { resumable: true });
  await file.copy(gcs.bucket.file('b'));
  await gcs.bucket.combine([file, gcs.bucket.file('b')], gcs.bucket.file('c'));
  await file.setMetadata({ metadata: { x: '1' } });
  await file.save('x', { metadata: { crc32c: 'AAAAAA==' } }).catch(() => undefined);
  await file.delete();
  await until(() => expect(queued()).toEqual([]));
  await sleep(50);
  expect(target.deliveries.map(({ data }) => String(data['name'])).toSorted()).toEqual(['a', 'a', 'b', 'c']);
});

test('sends it again, under the same id, until the target answers 2xx', async () => {
  target.answers = [500, 302];
  gcs.server.setEventTarget({ url: target.url });
  await gcs.bucket.file('again').save('x', { resumable: false });
  await until(() => expect(target.deliveries).toHaveLength(3));
  await until(() => expect(queued()).toEqual([]));
  expect(new Set(target.deliveries.map(({ headers }) => headers['ce-id'])).size).toBe(1);
});

test('loses none over a restart, not even before the new process knows the target', async () => {
  gcs.server.setEventTarget({ url: 'http://127.0.0.1:9/' });
  await gcs.bucket.file('before').save('x', { resumable: false });
  await until(() => expect(queued()).toHaveLength(1));
  await gcs.restart();
  await gcs.bucket.file('after').save('x', { resumable: false });
  expect(queued()).toHaveLength(2);
  gcs.server.setEventTarget({ url: target.url });
  await until(() => expect(queued()).toEqual([]));
  expect(target.deliveries.map(({ data }) => String(data['name'])).toSorted()).toEqual(['after', 'before']);
});

test('after a kill around a commit, tells of the object that is there and not of one that is not', async () => {
  gcs.server.setEventTarget({ url: 'http://127.0.0.1:9/' });
  for (const name of ['there', 'gone']) await gcs.bucket.file(name).save('x', { resumable: false });
  await until(() => expect(queued()).toHaveLength(2));
  await gcs.bucket.file('gone').delete();
  const directory = join(gcs.dataDir, 'events');
  for (const file of queued())
    renameSync(join(directory, file), join(directory, file.replace('ready-', 'prepared-')));
  await gcs.restart();
  gcs.server.setEventTarget({ url: target.url });
  await until(() => expect(target.deliveries).toHaveLength(1));
  expect(target.deliveries[0]?.data['name']).toBe('there');
  await until(() => expect(queued()).toEqual([]));
});

test('without a target there is no event', async () => {
  await gcs.bucket.file('quiet').save('x', { resumable: false });
  expect(queued()).toEqual([]);
});

test('carries a token of the service account for the audience', async () => {
  const mint = createTokenMint();
  await gcs.restart({ mintIdToken: mint.mintIdToken });
  const serviceAccountEmail = 'events@test.iam.gserviceaccount.com';
  gcs.server.setEventTarget({ url: target.url, serviceAccountEmail, audience: 'https://verify' });
  await gcs.bucket.file('token').save('x', { resumable: false });
  await until(() => expect(target.deliveries).toHaveLength(1));
  const idToken = target.deliveries[0]?.headers.authorization?.replace('Bearer ', '') ?? '';
  const ticket = await new OAuth2Client().verifySignedJwtWithCertsAsync(
    idToken,
    mint.certificates(),
    'https://verify',
  );
  expect(ticket.getPayload()).toMatchObject({ email: serviceAccountEmail, aud: 'https://verify' });
});
