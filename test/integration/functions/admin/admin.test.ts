// The entry point `admin` as it is deployed: the built bundle in a process of its own, over an empty database.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { type Bucket, Storage } from '@google-cloud/storage';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { buildFunctions } from '#build/functions.ts';
import { anchorAudit } from '#functions/audit/anchor.ts';
import { openDatabase } from '#functions/store/database.ts';
import { functionsUrl } from '#functions/store/functions-role.ts';
import { useToken } from '#functions/store/tokens.ts';
import { type FunctionProcess, startFunction } from '#local/cloud/functions/process.ts';
import { type GcsServer, startGcs } from '#local/cloud/gcs/server.ts';
import { type IdentityServer, startIdentityServer } from '#local/cloud/identity/server.ts';
import { createTokenMint } from '#local/cloud/identity/token-mint.ts';
import { holdPort } from '#local/ports.ts';
import { keySigner } from '#shared/signing/key-signer.ts';
import { createTestDeps, makeKey } from '#test/fixtures/deps.ts';
import { createTestDatabase, FUNCTIONS_PASSWORD, type TestDatabase } from '#test/fixtures/postgres.ts';

const DEPLOYER = 'lamplighter-deployer@test.iam.gserviceaccount.com';
const mint = createTokenMint();
const signingKey = makeKey();
// Below the repository, so that the bundle finds the packages that it names.
const bundle = join(import.meta.dirname, '../../../dist/test-admin');
const logs = mkdtempSync(join(tmpdir(), 'lamplighter-admin-'));
let database: TestDatabase;
let identity: IdentityServer;
let admin: FunctionProcess;
let gcs: GcsServer;
let bucket: Bucket;

beforeAll(async () => {
  mkdirSync(bundle, { recursive: true });
  await buildFunctions(bundle);
  database = await createTestDatabase('empty');
  identity = await startIdentityServer(mint, 'test');
  gcs = await startGcs({ host: '127.0.0.1', dataDir: join(logs, 'gcs') });
  bucket = new Storage({ apiEndpoint: gcs.url, projectId: 'test' }).bucket('test-backups');
  await bucket.create();
  const { address, port, release } = await holdPort('127.0.0.1');
  await release();
  admin = await startFunction({
    target: 'admin',
    source: bundle,
    address,
    port,
    env: {
      PATH: '/usr/bin:/bin',
      GOOGLE_CLOUD_PROJECT: 'test',
      OWNER_DATABASE_URL: database.url,
      DATABASE_URL: loginOfFunctions(),
      OIDC_AUDIENCE: `http://${address}:${port}`,
      OIDC_CALLERS: DEPLOYER,
      OIDC_CERTS_URL: identity.certsUrl,
      ...anchoring(),
    },
    logFile: join(logs, 'admin.log'),
  });
});
afterAll(async () => {
  await admin?.close();
  await identity?.close();
  await gcs?.close();
  await database?.drop();
  rmSync(bundle, { recursive: true, force: true });
  rmSync(logs, { recursive: true, force: true });
});

/** What a check of the audit trail needs to read the anchors. */
function anchoring(): Record<string, string> {
  return {
    GOOGLE_CLOUD_PROJECT: 'test',
    BACKUP_BUCKET: 'test-backups',
    SIGNING_PUBLIC_KEYS: signingKey.publicPem,
    STORAGE_API_ENDPOINT: gcs.url,
  };
}

/** The role is the whole server's, so each test file that uses it gives it the same password. */
function loginOfFunctions(): string {
  return functionsUrl(database.url, FUNCTIONS_PASSWORD);
}

async function call(
  order: unknown,
  caller: string | null = DEPLOYER,
): Promise<{ status: number; body: unknown }> {
  const token =
    caller === null ? '' : await mint.mintIdToken({ serviceAccountEmail: caller, audience: admin.url });
  const response = await fetch(admin.url, {
    method: 'POST',
    headers: { 'content-type': 'application/json', ...(token ? { authorization: `Bearer ${token}` } : {}) },
    body: JSON.stringify(order),
  });
  return { status: response.status, body: await response.json() };
}

test('takes a new deployment from an empty database to its first token', async () => {
  const applied = await call({ command: 'migrate' });
  const letIn = 'lamplighter_functions';
  expect(applied).toEqual({
    status: 200,
    body: { applied: expect.arrayContaining(['001-core.sql']), letIn },
  });
  expect(await call({ command: 'migrate' })).toEqual({ status: 200, body: { applied: [], letIn } });
  const functions = openDatabase(loginOfFunctions());
  try {
    await functions.query('SELECT count(*) FROM audit');
    await expect(functions.query('DELETE FROM audit')).rejects.toThrow('permission denied');
  } finally {
    await functions.close();
  }
  const made = await call({ command: 'create-token', name: 'alice', role: 'admin' });
  expect(made).toEqual({ status: 200, body: { token: expect.stringMatching(/^lamp_/) } });
  const { token } = made.body as { token: string };
  expect(await useToken(database.db, token)).toMatchObject({ name: 'alice', role: 'admin' });
  const trail = { auditEntries: 1, anchors: 0, anchoredUpTo: 0, unanchoredSince: expect.any(String) };
  expect(await call({ command: 'verify-audit' })).toEqual({ status: 200, body: trail });
  expect(await call({ command: 'revoke-token', name: 'alice' })).toMatchObject({ status: 200 });
  expect(await useToken(database.db, token)).toBeUndefined();
});

test.each<[string, unknown, string | null, number]>([
  ['nobody', { command: 'verify-audit' }, null, 401],
  [
    'the account of another function',
    { command: 'verify-audit' },
    'lamplighter-api@test.iam.gserviceaccount.com',
    403,
  ],
  ['the deployer with a command that does not exist', { command: 'drop' }, DEPLOYER, 400],
  [
    'the deployer with a role that does not exist',
    { command: 'create-token', name: 'bob', role: 'root' },
    DEPLOYER,
    400,
  ],
  ['the deployer with more than a command takes', { command: 'migrate', to: 'x' }, DEPLOYER, 400],
])('refuses %s', async (_name, order, caller, status) => {
  expect((await call(order, caller)).status).toBe(status);
});

test('holds the trail against its anchors, and says what the owner of the database took away', async () => {
  const deps = createTestDeps(database.db, {
    openBucket: () => Promise.resolve(bucket),
    loadSigner: () => Promise.resolve(keySigner(signingKey.privatePem)),
  });
  const entries = await anchorAudit(deps);
  const anchored = { auditEntries: entries, anchors: 1, anchoredUpTo: entries, unanchoredSince: null };
  expect(await call({ command: 'verify-audit' })).toEqual({ status: 200, body: anchored });
  expect(await commandLine(anchoring())).toMatchObject({
    status: 0,
    stdout: `intact: ${entries} entries, up to ${entries} proven by 1 anchor\n`,
  });
  expect(await commandLine({})).toMatchObject({
    status: 0,
    stdout: `intact: ${entries} entries; held against no anchor: BACKUP_BUCKET is not set\n`,
  });
  await database.db.transaction(async (tx) => {
    await tx.query('ALTER TABLE audit DISABLE TRIGGER USER');
    await tx.query('DELETE FROM audit WHERE seq = $1', [entries]);
    await tx.query('ALTER TABLE audit ENABLE TRIGGER USER');
  });
  const fault = `entry ${entries} was removed after ${deps.now.toISOString()}`;
  expect(await call({ command: 'verify-audit' })).toMatchObject({
    status: 422,
    body: { code: 'corrupt', detail: expect.stringContaining(fault) },
  });
  const { status, stderr } = await commandLine(anchoring());
  expect({ status, stderr }).toEqual({ status: 1, stderr: expect.stringContaining(fault) });
});

/** `npm run admin verify-audit`, as a person runs it who can reach the database. */
async function commandLine(env: Record<string, string>) {
  const program = join(import.meta.dirname, '../../../../functions/admin/main.ts');
  const args = ['--disable-warning=ExperimentalWarning', program, 'verify-audit'];
  const child = spawn(process.execPath, args, {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: {
      PATH: '/usr/bin:/bin',
      OWNER_DATABASE_URL: database.url,
      METADATA_SERVER_DETECTION: 'none',
      ...env,
    },
  });
  const ended = once(child, 'exit');
  const [stdout, stderr] = await Promise.all([text(child.stdout), text(child.stderr)]);
  const [status]: unknown[] = await ended;
  return { status, stdout, stderr };
}
