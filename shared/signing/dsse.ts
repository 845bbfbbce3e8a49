// Signatures over exact bytes. The pre-authentication encoding is DSSE's (github.com/secure-systems-lab/dsse,
// protocol.md, v1): it binds the payload's type to the payload, so a report can never pass for a command.
import { createHash, createPublicKey, type KeyObject, verify } from 'node:crypto';
import * as z from 'zod';

/** What may be signed; the type is part of the signed bytes. */
export const PAYLOAD_TYPES = {
  command: 'application/vnd.lamplighter.command.v1+json',
  report: 'application/vnd.lamplighter.report.v1+json',
  manifest: 'application/vnd.lamplighter.backup-manifest.v1+json',
  release: 'application/vnd.lamplighter.agent-release.v1+json',
  anchor: 'application/vnd.lamplighter.audit-anchor.v1+json',
  'agent-half': 'application/vnd.lamplighter.agent-half.v1',
  enrolment: 'application/vnd.lamplighter.enrolment.v1+json',
} as const;
export type PayloadKind = keyof typeof PAYLOAD_TYPES;

/** Bytes with their signature, as they travel. `keyId` is a hint to find the key, never trusted by itself. */
export interface SignedBytes {
  payload: Uint8Array;
  signature: Uint8Array;
  keyId: string;
}

/** Signs with a key that it holds: a key file locally, Cloud KMS in the cloud. */
export interface Signer {
  readonly keyId: string;
  /** Ed25519 over `preAuthEncode(kind, payload)`. */
  sign(kind: PayloadKind, payload: Uint8Array): Promise<Uint8Array>;
}

/** Signs bytes; the same signer signs the same bytes alike. */
export async function signBytes(
  signer: Signer,
  kind: PayloadKind,
  payload: Uint8Array,
): Promise<SignedBytes> {
  return { payload, signature: await signer.sign(kind, payload), keyId: signer.keyId };
}

/** DSSE PAE: `DSSEv1 SP len(type) SP type SP len(payload) SP payload`. */
export function preAuthEncode(kind: PayloadKind, payload: Uint8Array): Buffer {
  const type = PAYLOAD_TYPES[kind];
  const head = `DSSEv1 ${Buffer.byteLength(type)} ${type} ${payload.byteLength} `;
  return Buffer.concat([Buffer.from(head, 'utf8'), payload]);
}

/** The first 16 hex digits of the SHA-256 of the key's SPKI DER. */
export function keyIdOf(publicKey: KeyObject): string {
  const der = publicKey.export({ type: 'spki', format: 'der' });
  return createHash('sha256').update(der).digest('hex').slice(0, 16);
}

/** A PEM public key (SPKI, Ed25519), parsed. Throws on any other key type. */
export function parsePublicKey(pem: string): KeyObject {
  const key = createPublicKey(pem);
  if (key.asymmetricKeyType !== 'ed25519') throw new TypeError('parse public key: not an Ed25519 key');
  return key;
}

/** True when one of `keys` has the signature's key id and the signature holds over these bytes. */
export function isSignatureValid(
  kind: PayloadKind,
  signed: SignedBytes,
  keys: readonly KeyObject[],
): boolean {
  const bytes = preAuthEncode(kind, signed.payload);
  return keys.some((key) => keyIdOf(key) === signed.keyId && verify(null, bytes, key, signed.signature));
}

/** A DSSE envelope in JSON, for signed documents (backup manifests, anchors, enrolments). */
export const DsseEnvelope = z.lazy(() =>
  z.strictObject({
    payloadType: z.string(),
    payload: z.base64(),
    signatures: z
      .array(z.strictObject({ keyid: z.string(), sig: z.base64() }))
      .min(1)
      // Each key of an enrolment signs it: two of the agent's, two of the runner's.
      .max(4),
  }),
);
export type DsseEnvelope = z.infer<typeof DsseEnvelope>;

/** Signs bytes with each signer, as a DSSE document. */
export async function signDsse(
  kind: PayloadKind,
  payload: Uint8Array,
  signers: readonly Signer[],
): Promise<DsseEnvelope> {
  const signed = await Promise.all(signers.map((signer) => signBytes(signer, kind, payload)));
  return {
    payloadType: PAYLOAD_TYPES[kind],
    payload: toBase64(payload),
    signatures: signed.map(({ keyId, signature }) => ({ keyid: keyId, sig: toBase64(signature) })),
  };
}

/** The bytes of a document beside each of its signatures; none of them is checked. */
export function decodeDsse({ payload, signatures }: DsseEnvelope): SignedBytes[] {
  const bytes = Buffer.from(payload, 'base64');
  return signatures.map(({ keyid, sig }) => ({
    payload: bytes,
    signature: Buffer.from(sig, 'base64'),
    keyId: keyid,
  }));
}

/** The bytes of a document when a signature of `keys` holds, else undefined. */
export function openDsse(
  kind: PayloadKind,
  document: DsseEnvelope,
  keys: readonly KeyObject[],
): Uint8Array | undefined {
  if (document.payloadType !== PAYLOAD_TYPES[kind]) return undefined;
  return decodeDsse(document).find((signed) => isSignatureValid(kind, signed, keys))?.payload;
}

function toBase64(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('base64');
}
