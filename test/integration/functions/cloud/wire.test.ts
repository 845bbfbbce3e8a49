// api, sign and report as processes under the real functions framework, over Pub/Sub and identity tokens on the wire.
import { randomUUID } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Message, PubSub } from '@google-cloud/pubsub';
import { Storage } from '@google-cloud/storage';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { checkTrail } from '#functions/audit/check.ts';
import { readAnchors } from '#functions/audit/read-anchors.ts';
import { settleDenials } from '#functions/denial/settle.ts';
import { listAudit } from '#functions/store/audit.ts';
import { findCommand } from '#functions/store/commands.ts';
import { createToken } from '#functions/store/tokens.ts';
import { type FunctionProcess, startFunction } from '#local/cloud/functions/process.ts';
import { type GcsServer, startGcs } from '#local/cloud/gcs/server.ts';
import { type IdentityServer, startIdentityServer } from '#local/cloud/identity/server.ts';
import { createTokenMint } from '#local/cloud/identity/token-mint.ts';
import { type PubsubServer, startPubsub } from '#local/cloud/pubsub/server.ts';
import { findFreePort } from '#local/ports.ts';
import { PROJECT_ID, serviceAccountEmail } from '#local/stack/identities.ts';
import { provisionPubsub } from '#local/stack/provision.ts';
import { CommandDetail } from '#shared/api/views.ts';
import { admitCommand } from '#shared/command/admit.ts';
import { Report } from '#shared/command/report.ts';
import { fromWire } from '#shared/signing/message.ts';
import { ENTRY_POINTS, type EntryPointName } from '#shared/topology.ts';
import {
  applyTestRunbook,
  enrolTestHost,
  type HostKeys,
  pushedReport,
} from '#test/fixtures/control-plane.ts';
import { makeKey } from '#test/fixtures/deps.ts';
import { createTestDatabase, type TestDatabase } from '#test/fixtures/postgres.ts';

const STARTED = ['api', 'sign', 'report'] as const;
const mint = createTokenMint();
const signingKey = makeKey();
let dir: string;
let database: TestDatabase;
let identity: IdentityServer;
let pubsubServer: PubsubServer;
let pubsub: PubSub;
let gcs: GcsServer;
let keys: HostKeys;
let token: string;
const functions: FunctionProcess[] = [];
const urls = new Map<EntryPointName, string>();

beforeAll(async () => {
  dir = mkdtempSync(join(tmpdir(), 'lamplighter-wire-'));
  writeFileSync(join(dir, 'key.pem'), signingKey.privatePem, { mode: 0o600 });
  database = await createTestDatabase();
  await applyTestRunbook(database.db);
  keys = await enrolTestHost(database.db, 'web-1');
  token = await createToken(database.db, { name: 'tester', role: 'operator' });
  identity = await startIdentityServer(mint, PROJECT_ID);
  pubsubServer = await startPubsub({ host: '127.0.0.1', mintIdToken: mint.mintIdToken });
  gcs = await startGcs({ host: '127.0.0.1', dataDir: join(dir, 'gcs') });
  for (const name of STARTED) urls.set(name, `http://127.0.0.1:${await findFreePort('127.0.0.1')}`);
  functions.push(...(await Promise.all(STARTED.map(start))));
  pubsub = new PubSub({ projectId: PROJECT_ID, apiEndpoint: pubsubServer.address, emulatorMode: true });
  await provisionPubsub({
    pubsub,
    hosts: ['web-1'],
    pushTarget: (name) => ({
      endpoint: urls.get(name) ?? 'http://127.0.0.1:9',
      serviceAccountEmail: serviceAccountEmail('push'),
    }),
  });
});
afterAll(async () => {
  await pubsub?.close();
  await Promise.all(functions.map((one) => one.close()));
  await pubsubServer?.close();
  await gcs?.close();
  await identity?.close();
  await database?.drop();
  rmSync(dir, { recursive: true });
});

async function start(name: (typeof STARTED)[number]): Promise<FunctionProcess> {
  const url = new URL(urls.get(name)!);
  const entryPoint = ENTRY_POINTS.find((one) => one.name === name)!;
  const callers = entryPoint.callers === 'public' ? [] : entryPoint.callers;
  return await startFunction({
    target: name,
    source: join(import.meta.dirname, '../../../../functions/index.ts'),
    address: url.hostname,
    port: Number(url.port),
    logFile: join(dir, `${name}.log`),
    env: {
      PATH: '/usr/bin:/bin',
      GOOGLE_CLOUD_PROJECT: PROJECT_ID,
      DATABASE_URL: database.url,
      SIGN_URL: urls.get('sign')!,
      SIGNING_KEY: `file:${join(dir, 'key.pem')}`,
      OIDC_AUDIENCE: urls.get(name)!,
      OIDC_CALLERS: callers.map(serviceAccountEmail).join(','),
      OIDC_CERTS_URL: identity.certsUrl,
      GCE_METADATA_HOST: await identity.metadataHostFor(serviceAccountEmail(name)),
      METADATA_SERVER_DETECTION: 'assume-present',
      PUBSUB_EMULATOR_HOST: pubsubServer.address,
      WEBHOOK_SECRETS: '{"restart-hook":"a webhook key of the tests"}',
      LIVE_URL: 'ws://127.0.0.1:9',
      API_URL: urls.get('api')!,
      BACKUP_BUCKET: 'test-backups',
      STORAGE_API_ENDPOINT: gcs.url,
      HOME: '/nonexistent',
    },
  });
}

async function api(method: string, path: string, body?: unknown): Promise<unknown> {
  const response = await fetch(`${urls.get('api')}${path}`, {
    method,
    headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });
  expect(response.ok).toBe(true);
  return await response.json();
}

function nextMessage(): Promise<Message> {
  const subscription = pubsub.subscription('lamplighter-commands-web-1');
  return new Promise((resolve, reject) => {
    subscription.once('error', reject);
    subscription.once('message', (message: Message) => {
      message.ack();
      void subscription.close().then(() => resolve(message));
    });
  });
}

async function publishReport(report: Report, key: HostKeys['agent']): Promise<void> {
  const { data, attributes } = await pushedReport(report, key);
  await pubsub.topic('lamplighter-reports').publishMessage({ data, attributes });
}

test('a command goes through api, sign and Pub/Sub to the host, and its end back through report', async () => {
  const received = nextMessage();
  const order = { operation: 'service.restart', params: { service: 'web' } };
  const { id } = CommandDetail.unwrap()
    .shape.command.unwrap()
    .pick({ id: true })
    .parse(await api('POST', '/v1/commands', order));
  const message = await received;
  const admission = admitCommand(fromWire(message.data, { ...message.attributes }), {
    hostName: 'web-1',
    pinnedKeys: [signingKey.publicKey],
    nowMs: Date.now(),
    maxClockSkewMs: 1000,
    horizonMs: 0,
  });
  expect(admission).toMatchObject({
    admitted: true,
    envelope: { id, actor: { name: 'tester', role: 'operator' } },
  });
  expect(message.orderingKey).toBe('web-1');
  const head = { v: 1, host: 'web-1', at: new Date().toISOString(), commandId: id };
  await publishReport(Report.parse({ ...head, id: randomUUID(), type: 'command.accepted' }), keys.agent);
  const end = { state: 'succeeded', message: 'restarted', steps: [] };
  await publishReport(
    Report.parse({ ...head, ...end, id: randomUUID(), type: 'command.finished' }),
    keys.runner,
  );
  for (let after = 0; ; ) {
    const answer = await api('GET', `/v1/commands/${id}?after=${after}&waitS=20`);
    const { command, events } = CommandDetail.parse(answer);
    after = events.at(-1)?.seq ?? after;
    if (command.finishedAt === null) continue;
    expect(command).toMatchObject({ state: 'succeeded', message: 'restarted' });
    break;
  }
});

test('a forged report is written down and not sent again', async () => {
  const report = { v: 1, host: 'web-1', at: new Date().toISOString(), id: randomUUID() };
  const commandId = '0197c2aa-0000-7000-8000-000000000001';
  await publishReport(Report.parse({ ...report, commandId, type: 'command.accepted' }), makeKey());
  await expect
    .poll(async () => {
      await settleDenials({ db: database.db, clock: () => new Date(Date.now() + 60_000) });
      return await listAudit(database.db, { action: 'report.refused', limit: 5 });
    })
    .toMatchObject([{ detail: { reason: 'bad-signature' } }]);
});

describe('sign answers only its own callers', () => {
  const ask = async (authorization: string | undefined, body = '{}') => {
    const response = await fetch(urls.get('sign')!, {
      method: 'POST',
      headers: {
        'content-type': 'application/json',
        ...(authorization === undefined ? {} : { authorization }),
      },
      body,
    });
    return response.status;
  };
  const bearer = async (account: 'api' | 'push', audience: string, from = mint) =>
    `Bearer ${await from.mintIdToken({ serviceAccountEmail: serviceAccountEmail(account), audience })}`;

  const table: [string, () => Promise<string | undefined>, number][] = [
    ['nobody', () => Promise.resolve(undefined), 401],
    ['an API token', () => Promise.resolve(`Bearer ${token}`), 401],
    ['another service account', () => bearer('push', urls.get('sign')!), 403],
    ['another audience', () => bearer('api', urls.get('report')!), 401],
    ['another issuer’s key', () => bearer('api', urls.get('sign')!, createTokenMint()), 401],
    ['its caller, who names no command', () => bearer('api', urls.get('sign')!), 400],
  ];
  test.each(table)('%s', async (_name, authorization, status) => {
    expect(await ask(await authorization())).toBe(status);
  });

  test('its caller, who names a command that is none', async () => {
    const body = JSON.stringify({ commandId: '0197c2aa-0000-7000-8000-000000000002' });
    expect(await ask(await bearer('api', urls.get('sign')!), body)).toBe(404);
  });

  test('only with POST', async () => {
    const authorization = await bearer('api', urls.get('sign')!);
    expect((await fetch(urls.get('sign')!, { headers: { authorization } })).status).toBe(405);
  });
});

test('the trail is anchored by sign, in the bucket, when watch asks', async () => {
  const bucket = new Storage({ apiEndpoint: gcs.url, projectId: PROJECT_ID }).bucket('test-backups');
  await bucket.create();
  const audience = urls.get('sign')!;
  const identityToken = await mint.mintIdToken({
    serviceAccountEmail: serviceAccountEmail('watch'),
    audience,
  });
  const ask = async (): Promise<unknown> => {
    const response = await fetch(audience, {
      method: 'POST',
      headers: { 'content-type': 'application/json', authorization: `Bearer ${identityToken}` },
      body: '{"anchorAudit":true}',
    });
    return await response.json();
  };
  const [newest] = await listAudit(database.db, { limit: 1 });
  expect(await ask()).toEqual({ anchored: newest?.seq });
  expect(await ask()).toEqual({ anchored: null });
  const found = await readAnchors(bucket, [signingKey.publicKey]);
  expect(await checkTrail(database.db, found, new Date())).toMatchObject({
    intact: true,
    anchors: 1,
    anchoredUpTo: newest?.seq,
  });
});

test('when sign is down the command stands as requested', async () => {
  const sign = functions[STARTED.indexOf('sign')]!;
  await sign.close();
  const order = { operation: 'service.status', params: { service: 'web' } };
  const { id } = CommandDetail.unwrap()
    .shape.command.unwrap()
    .pick({ id: true })
    .parse(await api('POST', '/v1/commands', order));
  expect(await findCommand(database.db, id)).toMatchObject({ state: 'requested' });
});
