import { generateKeyPairSync, type KeyObject } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import { type AdmissionFacts, admitCommand } from '#shared/command/admit.ts';
import { type PayloadKind, type SignedBytes } from '#shared/signing/dsse.ts';
import { keySigner } from '#shared/signing/key-signer.ts';

function makePair(): { publicKey: KeyObject; pem: string } {
  const { publicKey, privateKey } = generateKeyPairSync('ed25519');
  return { publicKey, pem: privateKey.export({ type: 'pkcs8', format: 'pem' }).toString() };
}
const pinned = makePair();
const next = makePair();
const stranger = makePair();
const NOW = Date.parse('2026-11-23T10:00:00.000Z');
const facts: AdmissionFacts = {
  hostName: 'web-1',
  pinnedKeys: [pinned.publicKey, next.publicKey],
  nowMs: NOW,
  maxClockSkewMs: 30_000,
  horizonMs: 0,
};
const ENVELOPE = {
  v: 1,
  id: '0197c2aa-0000-7000-8000-000000000001',
  host: 'web-1',
  operation: 'service.restart',
  params: { service: 'web' },
  spec: { unit: 'app-web.service' },
  dryRun: false,
  actor: { kind: 'token', name: 'alice', role: 'operator' },
  runbookVersion: 1,
  issuedAt: '2026-11-23T10:00:00.000Z',
  expiresAt: '2026-11-23T10:05:00.000Z',
  timeoutMs: 1000,
};

async function sign(value: unknown, pem = pinned.pem, kind: PayloadKind = 'command'): Promise<SignedBytes> {
  const signer = keySigner(pem);
  const payload = Buffer.from(typeof value === 'string' ? value : JSON.stringify(value));
  return { payload, signature: await signer.sign(kind, payload), keyId: signer.keyId };
}

const at = (ms: number) => new Date(NOW + ms).toISOString();

test.each([
  ['the first pinned key', pinned],
  ['the second', next],
])('a good envelope under %s is admitted', async (_name, { pem }) => {
  expect(admitCommand(await sign(ENVELOPE, pem), facts)).toMatchObject({
    admitted: true,
    envelope: ENVELOPE,
  });
});

describe('refused', () => {
  const table: [string, () => Promise<SignedBytes> | undefined, string][] = [
    ['no signature', () => undefined, 'unsigned'],
    ['a key that is not pinned', () => sign(ENVELOPE, stranger.pem), 'bad-signature'],
    ['signed as a report', () => sign(ENVELOPE, pinned.pem, 'report'), 'bad-signature'],
    [
      'altered after signing',
      async () => ({
        ...(await sign(ENVELOPE)),
        payload: Buffer.from(JSON.stringify({ ...ENVELOPE, operation: 'service.stop' })),
      }),
      'bad-signature',
    ],
    ['no JSON', () => sign('hello'), 'malformed'],
    ['another version', () => sign({ ...ENVELOPE, v: 2 }), 'malformed'],
    ['a field too many', () => sign({ ...ENVELOPE, sudo: true }), 'malformed'],
    ['a field missing', () => sign({ ...ENVELOPE, actor: undefined }), 'malformed'],
    [
      'an id that is no UUIDv7',
      () => sign({ ...ENVELOPE, id: '5b0c1f6e-6f0f-4a57-9d4c-3b3f5a3f5a3f' }),
      'malformed',
    ],
    [
      'a time with an offset',
      () => sign({ ...ENVELOPE, issuedAt: '2026-11-23T11:00:00+01:00' }),
      'malformed',
    ],
    ['for another host', () => sign({ ...ENVELOPE, host: 'web-2' }), 'wrong-host'],
    [
      'too late by a millisecond',
      () => sign({ ...ENVELOPE, issuedAt: at(-9), expiresAt: at(-1) }),
      'expired',
    ],
    ['from beyond the skew', () => sign({ ...ENVELOPE, issuedAt: at(30_001) }), 'issued-in-future'],
    [
      'a life of more than a day',
      () => sign({ ...ENVELOPE, expiresAt: at(24 * 3_600_000 + 1) }),
      'lifetime-too-long',
    ],
  ];
  test.each(table)('%s is refused', async (_name, message, reason) => {
    expect(admitCommand(await message(), facts)).toMatchObject({ admitted: false, reason });
  });
});

describe('admitted at the edges', () => {
  test.each([
    ['at the last millisecond', { expiresAt: at(0), issuedAt: at(-1000) }],
    ['at the skew', { issuedAt: at(30_000) }],
    ['with a life of a day', { expiresAt: at(24 * 3_600_000) }],
  ])('%s', async (_name, change) => {
    expect(admitCommand(await sign({ ...ENVELOPE, ...change }), facts).admitted).toBe(true);
  });
});

test.each([
  ['at the horizon', 0, false],
  ['after it', -1, true],
])('a command issued %s of what is remembered: admitted %s', async (_name, beforeMs, admitted) => {
  const horizonMs = NOW + beforeMs;
  const admission = admitCommand(await sign({ ...ENVELOPE, issuedAt: at(0) }), { ...facts, horizonMs });
  expect(admission.admitted).toBe(admitted);
});

test('nothing of an envelope is told before its signature holds', async () => {
  const refused = admitCommand(await sign({ ...ENVELOPE, host: 'web-2' }, stranger.pem), facts);
  expect(refused).not.toHaveProperty('envelope');
});
