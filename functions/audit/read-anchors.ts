// Reads all anchors of the audit trail from the bucket and accepts those that the control plane's key signed.
import type { KeyObject } from 'node:crypto';
import type { Bucket, File } from '@google-cloud/storage';
import { ANCHOR_PREFIX, AuditAnchor } from '#shared/audit/anchor.ts';
import { LamplighterError, messageOf } from '#shared/errors.ts';
import { DsseEnvelope, openDsse } from '#shared/signing/dsse.ts';

export interface AnchorFindings {
  /** Ordered by entry, then by time. */
  anchors: AuditAnchor[];
  /** Objects that are not valid anchors, each with the reason. */
  faults: string[];
}

const AT_ONCE = 16;
/** A signed anchor has about 400 bytes. */
const MAX_ANCHOR_BYTES = 4096;

/** Lists the anchors (1,000 names a request) and reads each. Throws `unavailable` when the bucket can't be reached. */
export async function readAnchors(bucket: Bucket, keys: readonly KeyObject[]): Promise<AnchorFindings> {
  const findings: AnchorFindings = { anchors: [], faults: [] };
  try {
    const [files] = await bucket.getFiles({ prefix: ANCHOR_PREFIX });
    for (let next = 0; next < files.length; next += AT_ONCE) {
      const batch = files.slice(next, next + AT_ONCE);
      const found = await Promise.all(batch.map((file) => readAnchor(file, keys)));
      for (const [index, anchor] of found.entries()) {
        if (typeof anchor === 'string') findings.faults.push(`${batch[index]?.name}: ${anchor}`);
        else findings.anchors.push(anchor);
      }
    }
  } catch (cause) {
    throw new LamplighterError('unavailable', `read anchors ${ANCHOR_PREFIX}: ${messageOf(cause)}`, {
      retryable: true,
      cause,
    });
  }
  findings.anchors.sort((a, b) => a.seq - b.seq || Date.parse(a.at) - Date.parse(b.at));
  return findings;
}

/** The anchor, or why the object is not one. */
async function readAnchor(file: File, keys: readonly KeyObject[]): Promise<AuditAnchor | string> {
  if (Number(file.metadata.size) > MAX_ANCHOR_BYTES)
    return `of ${file.metadata.size} bytes, which no anchor has`;
  const [bytes] = await file.download();
  try {
    const payload = openDsse('anchor', DsseEnvelope.parse(JSON.parse(bytes.toString('utf8'))), keys);
    if (!payload) return 'not signed by the control plane';
    return AuditAnchor.parse(JSON.parse(Buffer.from(payload).toString('utf8')));
  } catch {
    return 'not an anchor of a known form';
  }
}
