// The decision whether a message may become a command here. Agent and runner both ask it, each with its own facts.
import type { KeyObject } from 'node:crypto';
import * as z from 'zod';
import { isSignatureValid, type SignedBytes } from '../signing/dsse.ts';
import { CommandEnvelope, MAX_ENVELOPE_LIFETIME_MS } from './envelope.ts';

/** Why a message was refused before its operation was even looked at. */
export const RefusalReason = z.enum([
  'unsigned',
  'bad-signature',
  'malformed',
  'wrong-host',
  'expired',
  'issued-in-future',
  'lifetime-too-long',
  'id-reused',
]);
export type RefusalReason = z.infer<typeof RefusalReason>;

export type Admission =
  | { admitted: true; envelope: CommandEnvelope }
  | { admitted: false; reason: RefusalReason; detail: string; envelope?: CommandEnvelope };

export interface AdmissionFacts {
  hostName: string;
  /** Keys pinned at install: at most two, so that one can replace the other. */
  pinnedKeys: readonly KeyObject[];
  nowMs: number;
  /** How far this clock may run behind the control plane's. */
  maxClockSkewMs: number;
  /** Records of commands issued up to this time may be gone: whether such a command was here before, nobody knows. */
  horizonMs: number;
}

function parseEnvelope(payload: Uint8Array): CommandEnvelope | undefined {
  try {
    return CommandEnvelope.parse(JSON.parse(Buffer.from(payload).toString('utf8')));
  } catch {
    return undefined;
  }
}

function refuse(reason: RefusalReason, detail: string, envelope?: CommandEnvelope): Admission {
  return envelope ? { admitted: false, reason, detail, envelope } : { admitted: false, reason, detail };
}

/**
 * Checks, in this order: signature over the exact bytes, shape, host, life time, clock. Fails closed; nothing of a message
 * whose signature does not hold is looked at. Replay is the caller's question: its own record knows.
 */
export function admitCommand(signed: SignedBytes | undefined, facts: AdmissionFacts): Admission {
  if (!signed) return refuse('unsigned', 'the message carries no signature');
  if (!isSignatureValid('command', signed, facts.pinnedKeys)) {
    return refuse('bad-signature', `no pinned key accepts the signature (key id ${signed.keyId})`);
  }
  const envelope = parseEnvelope(signed.payload);
  if (!envelope) return refuse('malformed', 'the signed bytes are not a version 1 command');
  if (envelope.host !== facts.hostName) {
    return refuse('wrong-host', `addressed to ${envelope.host}, this is ${facts.hostName}`, envelope);
  }
  return admitTimes(envelope, facts);
}

function admitTimes(envelope: CommandEnvelope, facts: AdmissionFacts): Admission {
  const issuedAtMs = Date.parse(envelope.issuedAt);
  const expiresAtMs = Date.parse(envelope.expiresAt);
  if (expiresAtMs - issuedAtMs > MAX_ENVELOPE_LIFETIME_MS) {
    return refuse('lifetime-too-long', `valid for ${expiresAtMs - issuedAtMs} ms`, envelope);
  }
  if (issuedAtMs > facts.nowMs + facts.maxClockSkewMs) {
    return refuse(
      'issued-in-future',
      `issued at ${envelope.issuedAt}, ${issuedAtMs - facts.nowMs} ms ahead of this clock`,
      envelope,
    );
  }
  // Whatever this clock says: one that was set wrong must not make a command new that had its time.
  if (issuedAtMs <= facts.horizonMs) {
    const horizon = new Date(facts.horizonMs).toISOString();
    return refuse(
      'expired',
      `issued at ${envelope.issuedAt}; this host no longer remembers what came until ${horizon}`,
      envelope,
    );
  }
  if (facts.nowMs > expiresAtMs) {
    return refuse('expired', `had to start by ${envelope.expiresAt}`, envelope);
  }
  return { admitted: true, envelope };
}
