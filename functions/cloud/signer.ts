// The control plane's signing key: a key file locally; in the cloud a key of Cloud KMS, which can't be exported.
import { createPublicKey } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import * as z from 'zod';
import { LamplighterError, messageOf } from '#shared/errors.ts';
import { keyIdOf, preAuthEncode, type Signer } from '#shared/signing/dsse.ts';
import { keySigner } from '#shared/signing/key-signer.ts';

const FILE_PREFIX = 'file:';
const KMS_NAME =
  /^projects\/[^/]+\/locations\/[^/]+\/keyRings\/[^/]+\/cryptoKeys\/[^/]+\/cryptoKeyVersions\/\d+$/;
/** The part of Cloud KMS's client that signing needs. */
export interface KmsClient {
  getPublicKey(request: { name: string }): Promise<readonly unknown[]>;
  asymmetricSign(request: {
    name: string;
    data: Uint8Array;
    dataCrc32c: { value: number };
  }): Promise<readonly unknown[]>;
}

/**
 * A signer for `file:/path/key.pem` or for a KMS key version's resource name. Throws `internal` when it is neither,
 * `unavailable` when KMS fails.
 */
export async function loadSigner(
  signingKey: string,
  openKms: () => Promise<KmsClient> = openKmsClient,
): Promise<Signer> {
  if (signingKey.startsWith(FILE_PREFIX)) {
    return keySigner(await readFile(signingKey.slice(FILE_PREFIX.length), 'utf8'));
  }
  if (KMS_NAME.test(signingKey)) return await kmsSigner(signingKey, await openKms());
  throw new LamplighterError('internal', 'load signing key: neither a key file nor a KMS key version', {
    hint: 'Set SIGNING_KEY to file:/path/key.pem or to projects/…/cryptoKeyVersions/N.',
  });
}

async function openKmsClient(): Promise<KmsClient> {
  return (await import('./kms-client.ts')).openKms();
}

const PublicKey = z.lazy(() => z.object({ pem: z.string(), algorithm: z.literal('EC_SIGN_ED25519') }));

// int64 values come as strings, numbers or Long objects, depending on the client's settings.
const Checksum = z.lazy(() =>
  z.object({
    value: z.union([z.string(), z.number(), z.custom<object>((v) => typeof v === 'object')]),
  }),
);
const Signed = z.lazy(() =>
  z.object({
    name: z.string(),
    signature: z.instanceof(Uint8Array),
    signatureCrc32c: Checksum,
    verifiedDataCrc32c: z.literal(true),
  }),
);

async function crc32cOf(bytes: Uint8Array): Promise<number> {
  const { createCrc32c } = await import('#shared/kit/crc32c.ts');
  const checksum = await createCrc32c();
  checksum.update(bytes);
  return checksum.value();
}

async function kmsSigner(name: string, client: KmsClient): Promise<Signer> {
  const [answer] = await ask(() => client.getPublicKey({ name }));
  const { pem } = PublicKey.parse(answer);
  return {
    keyId: keyIdOf(createPublicKey(pem)),
    sign: async (kind, payload) => {
      const data = preAuthEncode(kind, payload);
      const checksum = await crc32cOf(data);
      const [signed] = await ask(() =>
        client.asymmetricSign({ name, data, dataCrc32c: { value: checksum } }),
      );
      return await checkSigned(name, signed);
    },
  };
}

/** Checks an answer for corruption in transit (cloud.google.com/kms/docs/data-integrity-guidelines). */
async function checkSigned(name: string, answer: unknown): Promise<Uint8Array> {
  const signed = Signed.safeParse(answer);
  const isIntact =
    signed.success &&
    signed.data.name === name &&
    Number(signed.data.signatureCrc32c.value) === (await crc32cOf(signed.data.signature));
  if (isIntact) return signed.data.signature;
  throw new LamplighterError('corrupt', `sign with ${name}: the answer was corrupted in transit`, {
    retryable: true,
  });
}

async function ask<T>(call: () => Promise<T>): Promise<T> {
  try {
    return await call();
  } catch (error) {
    throw new LamplighterError('unavailable', `ask Cloud KMS: ${messageOf(error)}`, {
      retryable: true,
      cause: error,
    });
  }
}
