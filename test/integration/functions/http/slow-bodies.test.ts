// Clients that send slowly do not keep others out: `api` as it is deployed behind Google's front end, which passes on the
// clients' addresses.
import type { Socket } from 'node:net';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { bodyLimitsOf, MAX_ORDINARY_BYTES } from '#functions/http/body-limits.ts';
import type { FunctionProcess } from '#local/cloud/functions/process.ts';
import { ENTRY_POINTS } from '#shared/topology.ts';
import { answerOn, deployFunction, exchange, openRequest } from '#test/fixtures/deployed-function.ts';

const MIB = 1024 * 1024;
const RUNBOOK = 'PUT /v1/runbook?dryRun=1';
/** More than all that `api` holds: each takes 2 MiB, for it doubles what it holds. */
const MANY = 30;

let api: FunctionProcess;

beforeAll(async () => {
  api = await deployFunction('api', {
    K_SERVICE: 'lamplighter-api',
    // There is no database: a request without a token is answered 401 without one.
    DATABASE_URL: 'postgresql://nobody@127.0.0.1:1/none',
    SIGN_URL: 'http://127.0.0.1:1',
    LIVE_URL: 'ws://127.0.0.1:1',
    API_URL: 'http://127.0.0.1:1',
    BACKUP_BUCKET: 'none',
    WEBHOOK_SECRETS: '{}',
  });
});
afterAll(() => api.close());

function from(address: string): string {
  return `x-forwarded-for: 198.51.100.1, ${address}`;
}

/** A runbook of which all but the end was sent. */
function openSlowly(address: string): Socket {
  const body = Buffer.alloc(1.5 * MIB, '#');
  return openRequest(api.url, {
    line: RUNBOOK,
    head: [from(address), `content-length: ${body.byteLength + 1}`],
    pieces: [body],
  });
}

async function sendRunbook(address: string): Promise<number> {
  const body = '#'.repeat(MIB);
  const headers = { 'x-forwarded-for': address };
  return (await fetch(new URL('/v1/runbook?dryRun=1', api.url), { method: 'PUT', headers, body })).status;
}

/** Does the work while slow ones hold all the room that they can get. Gives the answers that they got. */
async function whileSlow(
  addressOf: (i: number) => string,
  work: (answered: readonly string[]) => Promise<void>,
): Promise<readonly string[]> {
  const answered: string[] = [];
  const slow = Array.from({ length: MANY }, (_, i) => openSlowly(addressOf(i)));
  const ends = slow.map(async (socket) => void answered.push(await answerOn(socket)));
  try {
    // When the first request is refused, no room is left.
    await Promise.race(ends);
    await work(answered);
  } finally {
    // The answers of those that were cut off have come; the others end here.
    for (const socket of slow) socket.destroy();
  }
  await Promise.all(ends);
  return answered;
}

test('slow ones of many addresses are cut off for an honest one', async () => {
  await whileSlow(
    (i) => `192.0.2.${i}`,
    async (answered) => {
      // A slow request is only given up when it is old enough, so for a second every other is refused. Refused requests can leave
      // room for one or two.
      await expect
        .poll(async () => ({
          status: await sendRunbook('203.0.113.1'),
          hasCutOff: answered.some((answer) => /^HTTP\/1\.1 408 [^]*others need its room/.test(answer)),
        }))
        .toEqual({ status: 401, hasCutOff: true });
    },
  );
});

test('slow ones of one address keep out nobody but itself', async () => {
  const answered = await whileSlow(
    () => '192.0.2.77',
    async () => {
      expect(await sendRunbook('203.0.113.2')).toBe(401);
    },
  );
  expect(answered.some((answer) => answer.startsWith('HTTP/1.1 503 '))).toBe(true);
});

test('only a runbook may be large', async () => {
  const body = (bytes: number) => [Buffer.alloc(bytes, '#')];
  const send = (line: string, bytes: number) =>
    exchange(api.url, [`content-length: ${bytes}`, 'connection: close'], body(bytes), line);
  expect(await send('POST /v1/commands', MAX_ORDINARY_BYTES)).toMatch(/^HTTP\/1\.1 401 /);
  expect(await send('POST /v1/commands', MAX_ORDINARY_BYTES + 1)).toMatch(/^HTTP\/1\.1 413 /);
  expect(await send('POST /v1/runbook', MAX_ORDINARY_BYTES + 1)).toMatch(/^HTTP\/1\.1 413 /);
  expect(await send('PUT /v1/runbook/', MAX_ORDINARY_BYTES + 1)).toMatch(/^HTTP\/1\.1 413 /);
  expect(await send(RUNBOOK, MAX_ORDINARY_BYTES + 1)).toMatch(/^HTTP\/1\.1 401 /);
});

test('where everyone may call, an address has a share, and behind IAM none', () => {
  for (const { name, callers } of ENTRY_POINTS) {
    const { maxHeldBytes, maxHeldBytesPerAddress } = bodyLimitsOf(name);
    if (callers === 'public') expect(maxHeldBytesPerAddress, name).toBeLessThan(maxHeldBytes);
    else expect(maxHeldBytesPerAddress, name).toBe(maxHeldBytes);
  }
});
