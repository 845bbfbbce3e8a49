// Key files of the local stack: the signing key that Cloud KMS holds in the cloud, the age identity that a team keeps
// offline, the key of the demo webhook. Made once per home, mode 0600.
import { createPrivateKey, createPublicKey, generateKeyPairSync, randomBytes } from 'node:crypto';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { generateX25519Identity, identityToRecipient } from 'age-encryption';

export interface StackKeys {
  signingKeyFile: string;
  /** PEM that agents pin. */
  signingPublicKeyFile: string;
  ageRecipient: string;
  webhookSecret: string;
}

function keepFile(file: string, make: () => string): string {
  if (!existsSync(file)) writeFileSync(file, make(), { mode: 0o600, flag: 'wx' });
  return readFileSync(file, 'utf8').trim();
}

/** Reads the home's keys, making those that are missing. */
export async function openKeys(dir: string): Promise<StackKeys> {
  const signingKeyFile = join(dir, 'signing-key.pem');
  const pem = keepFile(signingKeyFile, () =>
    generateKeyPairSync('ed25519').privateKey.export({ type: 'pkcs8', format: 'pem' }).toString(),
  );
  const signingPublicKeyFile = join(dir, 'signing-key.pub.pem');
  keepFile(signingPublicKeyFile, () =>
    createPublicKey(createPrivateKey(pem)).export({ type: 'spki', format: 'pem' }).toString(),
  );
  const fresh = await generateX25519Identity();
  const identity = keepFile(join(dir, 'age-identity.txt'), () => fresh);
  return {
    signingKeyFile,
    signingPublicKeyFile,
    ageRecipient: await identityToRecipient(identity),
    webhookSecret: keepFile(join(dir, 'webhook-secret.txt'), () => randomBytes(32).toString('hex')),
  };
}
