import { generateKeyPairSync } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import {
  isSignatureValid,
  keyIdOf,
  openDsse,
  parsePublicKey,
  preAuthEncode,
  type SignedBytes,
  signBytes,
  signDsse,
} from '#shared/signing/dsse.ts';
import { keySigner } from '#shared/signing/key-signer.ts';
import { fromWire, toWire } from '#shared/signing/message.ts';

function makePair() {
  const { publicKey, privateKey } = generateKeyPairSync('ed25519');
  return { publicKey, signer: keySigner(privateKey.export({ type: 'pkcs8', format: 'pem' }).toString()) };
}
const ours = makePair();
const other = makePair();
const payload = Buffer.from('{"v":1,"text":"grüße"}');

async function signed(pair = ours): Promise<SignedBytes> {
  return await signBytes(pair.signer, 'command', payload);
}

test('the pre-authentication encoding is DSSE’s, lengths in bytes', () => {
  const bytes = preAuthEncode('command', Buffer.from('ü'));
  expect(bytes.toString()).toBe('DSSEv1 43 application/vnd.lamplighter.command.v1+json 2 ü');
});

test('a signature holds over its bytes, its kind and its key', async () => {
  expect(isSignatureValid('command', await signed(), [other.publicKey, ours.publicKey])).toBe(true);
});

describe('a signature does not hold', () => {
  const table: [string, (good: SignedBytes) => SignedBytes][] = [
    [
      'over one changed bit',
      (good) => ({ ...good, payload: Buffer.from(payload.map((b, i) => (i === 5 ? b ^ 1 : b))) }),
    ],
    [
      'over the same JSON written otherwise',
      (good) => ({ ...good, payload: Buffer.from('{"text":"grüße","v":1}') }),
    ],
    ['over fewer bytes', (good) => ({ ...good, payload: payload.subarray(1) })],
    ['when it is empty', (good) => ({ ...good, signature: Buffer.alloc(0) })],
    ['when it is all zeros', (good) => ({ ...good, signature: Buffer.alloc(64) })],
    ['under another key id', (good) => ({ ...good, keyId: other.signer.keyId })],
  ];
  test.each(table)('%s', async (_name, change) => {
    expect(isSignatureValid('command', change(await signed()), [ours.publicKey, other.publicKey])).toBe(
      false,
    );
  });

  test('as another kind of payload', async () => {
    const good = await signed();
    for (const kind of ['report', 'manifest'] as const) {
      expect(isSignatureValid(kind, good, [ours.publicKey])).toBe(false);
    }
  });

  test('without its key', async () => {
    expect(isSignatureValid('command', await signed(), [other.publicKey])).toBe(false);
    expect(isSignatureValid('command', await signed(), [])).toBe(false);
  });
});

test('a document opens to the exact bytes, and not as another kind or with another key', async () => {
  const document = await signDsse('manifest', payload, [ours.signer]);
  expect(Buffer.from(openDsse('manifest', document, [ours.publicKey]) ?? []).equals(payload)).toBe(true);
  expect(openDsse('command', document, [ours.publicKey])).toBeUndefined();
  expect(openDsse('manifest', document, [other.publicKey])).toBeUndefined();
});

test('a message carries the bytes and the signature as they are', async () => {
  const good = await signed();
  const { data, attributes } = toWire('command', good, { id: '1', source: 's', type: 't', time: 'now' });
  const back = fromWire(data, attributes);
  expect(back && isSignatureValid('command', back, [ours.publicKey])).toBe(true);
  expect(fromWire(data, {})).toBeUndefined();
  expect(fromWire(data, { ...attributes, 'lamplighter-signature': 'not base64 !' })).toBeUndefined();
});

test('only Ed25519 keys are taken', () => {
  const { publicKey, privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  expect(() => parsePublicKey(publicKey.export({ type: 'spki', format: 'pem' }).toString())).toThrow(
    TypeError,
  );
  expect(() => keySigner(privateKey.export({ type: 'pkcs8', format: 'pem' }).toString())).toThrow(TypeError);
  expect(keyIdOf(ours.publicKey)).toMatch(/^[0-9a-f]{16}$/);
});
