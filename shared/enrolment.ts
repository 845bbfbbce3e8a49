// How a host proves that it holds the keys that it is enrolled with: each key signs one statement that names the host and
// all keys. The installer writes the document, the control plane reads it.
import type { KeyObject } from 'node:crypto';
import * as z from 'zod';
import { HostName } from './names.ts';
import {
  type DsseEnvelope,
  decodeDsse,
  isSignatureValid,
  keyIdOf,
  PAYLOAD_TYPES,
  parsePublicKey,
} from './signing/dsse.ts';

/** A private key in PEM would be taken for its public one, and then stored. */
const PublicKey = z.string().max(1000).startsWith('-----BEGIN PUBLIC KEY-----');
const PublicKeys = z.array(PublicKey).min(1).max(2);

/** What is signed: the host and its public keys (PEM). */
export const HostEnrolment = z.lazy(() =>
  z.strictObject({
    host: HostName,
    agentKeys: PublicKeys,
    runnerKeys: PublicKeys,
  }),
);
export type HostEnrolment = z.infer<typeof HostEnrolment>;

export interface EnrolmentKey {
  role: 'agent' | 'runner';
  keyId: string;
  pem: string;
}

export type EnrolmentFinding =
  | { proven: true; host: HostName; keys: EnrolmentKey[] }
  | { proven: false; reason: string };

function refuse(reason: string): EnrolmentFinding {
  return { proven: false, reason };
}

function parseStatement(payload: Uint8Array): HostEnrolment | undefined {
  try {
    return HostEnrolment.safeParse(JSON.parse(Buffer.from(payload).toString('utf8'))).data;
  } catch {
    return undefined;
  }
}

function readKey(role: EnrolmentKey['role'], pem: string): EnrolmentKey & { key: KeyObject } {
  const key = parsePublicKey(pem);
  return { role, keyId: keyIdOf(key), pem, key };
}

/** The host and the keys that a document proves, or why it proves nothing: every key must have signed it. */
export function openEnrolment(document: DsseEnvelope): EnrolmentFinding {
  if (document.payloadType !== PAYLOAD_TYPES.enrolment) return refuse('it is not a signed enrolment');
  const signatures = decodeDsse(document);
  const statement = signatures[0] && parseStatement(signatures[0].payload);
  if (!statement) return refuse('it does not name a host and its keys');
  const { host, agentKeys, runnerKeys } = statement;
  let keys: ReturnType<typeof readKey>[];
  try {
    keys = [
      ...agentKeys.map((pem) => readKey('agent', pem)),
      ...runnerKeys.map((pem) => readKey('runner', pem)),
    ];
  } catch {
    // The words of the library say nothing to whoever enrols a host.
    return refuse('a key is not an Ed25519 public key in PEM');
  }
  // The runner's key must be one that the agent can't use.
  const isShared = keys.some((a) => keys.some((b) => a.role !== b.role && a.keyId === b.keyId));
  if (isShared) return refuse('agent and runner share a key');
  const unproven = keys.find(
    ({ key }) => !signatures.some((signed) => isSignatureValid('enrolment', signed, [key])),
  );
  if (unproven) return refuse(`the ${unproven.role}'s key ${unproven.keyId} did not sign it`);
  return { proven: true, host, keys: keys.map(({ role, keyId, pem }) => ({ role, keyId, pem })) };
}
