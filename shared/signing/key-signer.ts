// A signer over a private key in memory: the agent's, the runner's and, locally, the control plane's.
import { createPrivateKey, createPublicKey, sign } from 'node:crypto';
import { keyIdOf, preAuthEncode, type Signer } from './dsse.ts';

/** A `Signer` from a PKCS #8 PEM Ed25519 private key. Throws on any other key type. */
export function keySigner(privateKeyPem: string): Signer {
  const key = createPrivateKey(privateKeyPem);
  if (key.asymmetricKeyType !== 'ed25519') throw new TypeError('load signing key: not an Ed25519 key');
  return {
    keyId: keyIdOf(createPublicKey(key)),
    sign: (kind, payload) => Promise.resolve(sign(null, preAuthEncode(kind, payload), key)),
  };
}
