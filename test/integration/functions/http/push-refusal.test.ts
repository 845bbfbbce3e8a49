// A message that can never be accepted is taken, so that it does not come a hundred times, and written down: on every
// entry point that Pub/Sub pushes to, as it is deployed.
import { gzipSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { settleDenials } from '#functions/denial/settle.ts';
import { MAX_BODY_BYTES } from '#functions/http/body-limits.ts';
import { listAudit } from '#functions/store/audit.ts';
import type { FunctionProcess } from '#local/cloud/functions/process.ts';
import { type IdentityServer, startIdentityServer } from '#local/cloud/identity/server.ts';
import { createTokenMint } from '#local/cloud/identity/token-mint.ts';
import { ENTRY_POINTS, type EntryPointName } from '#shared/topology.ts';
import { chunksOf, deployFunction, exchange, NOBODY_THERE } from '#test/fixtures/deployed-function.ts';
import { createTestDatabase, type TestDatabase } from '#test/fixtures/postgres.ts';

const AUDIENCE = 'https://pushed.example.com';
const CALLER = 'push@test.iam.gserviceaccount.com';
const PUSHED = ENTRY_POINTS.filter(({ callers }) => callers.includes('push')).map(({ name }) => name);

const mint = createTokenMint();
let identity: IdentityServer;
let database: TestDatabase;
let token: string;
const deployed = new Map<EntryPointName, FunctionProcess>();

beforeAll(async () => {
  identity = await startIdentityServer(mint, 'test');
  database = await createTestDatabase();
  token = await mint.mintIdToken({ serviceAccountEmail: CALLER, audience: AUDIENCE });
  const env = {
    ...NOBODY_THERE,
    DATABASE_URL: database.url,
    OIDC_AUDIENCE: AUDIENCE,
    OIDC_CALLERS: CALLER,
    OIDC_CERTS_URL: identity.certsUrl,
  };
  await Promise.all(PUSHED.map(async (name) => deployed.set(name, await deployFunction(name, env))));
});
afterAll(async () => {
  await Promise.all([...deployed.values()].map((one) => one.close()));
  await database.drop();
  await identity.close();
});

test('these entry points are pushed to', () => {
  expect(PUSHED).toEqual(['report', 'notify', 'verify-object', 'verify']);
});

function statusIn(answer: string): number {
  return Number(/^HTTP\/1\.1 (\d{3}) /.exec(answer)?.[1]);
}

async function push(
  name: EntryPointName,
  head: readonly string[],
  pieces: readonly Buffer[],
  bearer = token,
) {
  const url = deployed.get(name)?.url ?? '';
  const all = [`authorization: Bearer ${bearer}`, 'connection: close', ...head];
  return statusIn(await exchange(url, all, pieces));
}

async function refusals(name: EntryPointName) {
  const later = new Date(Date.now() + 120_000);
  await settleDenials({ db: database.db, clock: () => later });
  const all = await listAudit(database.db, { action: 'message.refused', limit: 100 });
  const own = all.filter(({ detail }) => detail['entryPoint'] === name);
  return own.map(({ actor, target }) => `${actor}: ${target}`).toSorted();
}

describe.each(PUSHED)('%s', (name) => {
  const tooLarge = Buffer.alloc(MAX_BODY_BYTES[name] + 1, 'x');
  const packed = gzipSync('{}');
  const lengthOf = (body: Buffer) => `content-length: ${body.byteLength}`;
  const table: [string, string[], Buffer[]][] = [
    ['that is too large', [lengthOf(tooLarge)], [tooLarge]],
    ['that turns out too large', ['transfer-encoding: chunked'], chunksOf(tooLarge)],
    ['that is packed', ['content-encoding: gzip', lengthOf(packed)], [packed]],
    ['that is no JSON', ['content-length: 3'], [Buffer.from('{"a')]],
    ['that is no push', ['content-length: 7'], [Buffer.from('{"a":1}')]],
    ['that says nothing', ['content-length: 0'], []],
  ];
  test.each(table)('takes a message %s', async (_name, head, pieces) => {
    expect(await push(name, head, pieces)).toBe(204);
  });

  test('wrote them down, counted by what was wrong', async () => {
    expect(await refusals(name)).toEqual(['unknown: malformed-push', 'unknown: unreadable-body']);
  });

  test('takes nothing of whoever may not push', async () => {
    const stranger = await mint.mintIdToken({ serviceAccountEmail: 'x@example.com', audience: AUDIENCE });
    expect(await push(name, [lengthOf(tooLarge)], [tooLarge], stranger)).toBe(413);
    expect(await push(name, ['content-length: 7'], [Buffer.from('{"a":1}')], stranger)).toBe(403);
    expect(await refusals(name)).toHaveLength(2);
  });
});
