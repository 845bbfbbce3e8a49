// Anchors the head of the audit trail in the bucket. Only `sign` does this: it alone has the key and may create such objects.
// Safe to repeat at any point, also by two instances at once: an object is created once, and both make the same object.
import type { Bucket } from '@google-cloud/storage';
import { type AuditAnchor, anchorObject } from '#shared/audit/anchor.ts';
import { LamplighterError, messageOf } from '#shared/errors.ts';
import { signDsse } from '#shared/signing/dsse.ts';
import type { Deps } from '../deps.ts';
import { findAuditHead, findLastAnchor, noteAnchor } from '../store/audit-anchor.ts';
import { isAnchorDue } from './due.ts';

export type AnchorDeps = Pick<Deps, 'db' | 'clock' | 'loadSigner' | 'openBucket' | 'config'>;

const TIMEOUT_MS = 15_000;
const PRECONDITION_FAILED = 412;

/** Anchors the head when it is due; returns the entry's number, or null. Throws `unavailable` when the bucket fails. */
export async function anchorAudit(deps: AnchorDeps): Promise<number | null> {
  const { db } = deps;
  const head = await findAuditHead(db);
  const now = deps.clock();
  if (!head || !isAnchorDue(head, await findLastAnchor(db), now)) return null;
  const anchor: AuditAnchor = {
    v: 1,
    seq: head.seq,
    hash: head.hash.toString('hex'),
    at: now.toISOString(),
  };
  const signer = await deps.loadSigner();
  const payload = Buffer.from(JSON.stringify(anchor), 'utf8');
  const text = JSON.stringify(await signDsse('anchor', payload, [signer]));
  const bucket = await deps.openBucket(deps.config.get('BACKUP_BUCKET'));
  await createObject(bucket, anchorObject(anchor), text);
  await noteAnchor(db, { ...head, anchoredAt: now });
  return head.seq;
}

/** Creates the object unless an earlier attempt did. */
async function createObject(bucket: Bucket, name: string, text: string): Promise<void> {
  const file = bucket.file(name, { preconditionOpts: { ifGenerationMatch: 0 } });
  try {
    await file.save(text, { resumable: false, contentType: 'application/json', timeout: TIMEOUT_MS });
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === PRECONDITION_FAILED) return;
    throw new LamplighterError('unavailable', `create object ${name}: ${messageOf(error)}`, {
      retryable: true,
      cause: error,
    });
  }
}
