import { generateKeyPairSync, sign } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { type KmsClient, loadSigner } from '#functions/cloud/signer.ts';
import { createCrc32c } from '#shared/kit/crc32c.ts';
import { isSignatureValid, signBytes } from '#shared/signing/dsse.ts';

const { publicKey, privateKey } = generateKeyPairSync('ed25519');
const pem = publicKey.export({ type: 'spki', format: 'pem' }).toString();
const NAME = 'projects/p/locations/l/keyRings/r/cryptoKeys/k/cryptoKeyVersions/1';
const payload = Buffer.from('{"a":1}');

async function crc32c(bytes: Uint8Array): Promise<number> {
  const checksum = await createCrc32c();
  checksum.update(bytes);
  return checksum.value();
}

/** Answers as Cloud KMS documents it; `damage` changes an answer. There is no KMS here. */
function fakeKms(damage: Record<string, unknown> = {}, algorithm = 'EC_SIGN_ED25519'): KmsClient {
  return {
    getPublicKey: () => Promise.resolve([{ pem, algorithm }]),
    asymmetricSign: async ({ name, data, dataCrc32c }) => {
      const signature = sign(null, data, privateKey);
      return [
        {
          name,
          signature,
          signatureCrc32c: { value: String(await crc32c(signature)) },
          verifiedDataCrc32c: dataCrc32c.value === (await crc32c(data)),
          ...damage,
        },
      ];
    },
  };
}

test('a key file signs what its public key accepts', async () => {
  const dir = mkdtempSync(join(tmpdir(), 'lamplighter-signer-'));
  try {
    const file = join(dir, 'key.pem');
    writeFileSync(file, privateKey.export({ type: 'pkcs8', format: 'pem' }));
    const signer = await loadSigner(`file:${file}`);
    const signed = await signBytes(signer, 'command', payload);
    expect(isSignatureValid('command', signed, [publicKey])).toBe(true);
    expect(isSignatureValid('report', signed, [publicKey])).toBe(false);
  } finally {
    rmSync(dir, { recursive: true });
  }
});

test('Cloud KMS signs what its public key accepts', async () => {
  const signer = await loadSigner(NAME, () => Promise.resolve(fakeKms()));
  const signed = await signBytes(signer, 'command', payload);
  expect(isSignatureValid('command', signed, [publicKey])).toBe(true);
});

describe('an answer of Cloud KMS that is not intact is refused', () => {
  test.each([
    ['the signature', { signature: Buffer.alloc(64) }],
    ["the signature's checksum", { signatureCrc32c: { value: '1' } }],
    ['no checksum', { signatureCrc32c: null }],
    ['the data was not verified', { verifiedDataCrc32c: false }],
    ['another key', { name: `${NAME}2` }],
  ])('%s', async (_name, damage) => {
    const signer = await loadSigner(NAME, () => Promise.resolve(fakeKms(damage)));
    await expect(signer.sign('command', payload)).rejects.toMatchObject({ code: 'corrupt', retryable: true });
  });
});

test('a key version of another algorithm is refused', async () => {
  await expect(loadSigner(NAME, () => Promise.resolve(fakeKms({}, 'EC_SIGN_P256_SHA256')))).rejects.toThrow();
});

test('what is neither a file nor a key version is refused', async () => {
  await expect(loadSigner('projects/p')).rejects.toMatchObject({ code: 'internal' });
});
