// Whose key signed a report: it counts only under a key that its host is enrolled with.
import { Report } from '#shared/command/report.ts';
import { LamplighterError } from '#shared/errors.ts';
import { describeFault } from '#shared/plain-issue.ts';
import { isSignatureValid, parsePublicKey, type SignedBytes } from '#shared/signing/dsse.ts';
import { fromWire } from '#shared/signing/message.ts';
import type { PushMessage } from '../cloud/push.ts';
import { parseJson } from '../http/json-body.ts';
import type { Queryable } from '../store/database.ts';
import { findKeysById, type HostKey, type HostKeyRole } from '../store/hosts.ts';
import { asStored } from '../store/json.ts';

export type AuthenticReport =
  | { authentic: true; report: Report; role: HostKeyRole }
  | { authentic: false; reason: string; host: string | null; detail: string };

function refuse(reason: string, detail: string, host: string | null = null): AuthenticReport {
  return { authentic: false, reason, detail, host };
}

function holds(signed: SignedBytes, key: HostKey): boolean {
  return isSignatureValid('report', signed, [parsePublicKey(key.pem)]);
}

/** Reads nothing of a message before its signature was verified. */
export async function authenticateReport(db: Queryable, message: PushMessage): Promise<AuthenticReport> {
  const signed = fromWire(message.data, message.attributes);
  if (!signed) return refuse('unsigned', 'the message carries no signature');
  const keys = (await findKeysById(db, signed.keyId)).filter((key) => holds(signed, key));
  const [first] = keys;
  if (!first)
    return refuse('bad-signature', `no enrolled key accepts the signature (key id ${signed.keyId})`);
  const parsed = parseReport(signed.payload);
  if ('fault' in parsed) return refuse('malformed', parsed.fault, first.host);
  const own = keys.find((key) => key.host === parsed.report.host);
  if (!own)
    return refuse('wrong-host', `signed by ${first.host}, speaks for ${parsed.report.host}`, first.host);
  return { authentic: true, report: parsed.report, role: own.role };
}

function parseReport(payload: Uint8Array): { report: Report } | { fault: string } {
  try {
    // Parsed in the form that the database can store: otherwise Pub/Sub would send the report again and again.
    const parsed = Report.safeParse(asStored(parseJson(payload)));
    if (parsed.success) return { report: parsed.data };
    return { fault: describeFault(parsed.error, 'the report') };
  } catch (error) {
    if (error instanceof LamplighterError && error.code === 'invalid-input') return { fault: error.message };
    throw error;
  }
}
