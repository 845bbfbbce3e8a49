// Verifies a backup in the bucket part by part. When it is interrupted, the next call continues with the next part.

import type { Bucket } from '@google-cloud/storage';
import { type BackupManifest, isDumpEncrypted, PART_FILES } from '#shared/backup/manifest.ts';
import { LamplighterError } from '#shared/errors.ts';
import type { Deps } from '../deps.ts';
import { appendAudit } from '../store/audit.ts';
import { listPartProofs, savePartProof } from '../store/backup-parts.ts';
import { closeRound, findBackup, insertBackup, type NewBackup, type StoredBackup } from '../store/backups.ts';
import type { Lease } from '../store/lease.ts';
import { findRunbook } from '../store/runbooks.ts';
import { checkPart } from './check-part.ts';
import { lostLease, withLease } from './lease.ts';
import { type ManifestFinding, readManifest } from './read-manifest.ts';
import { orderAgainAt, type VerificationOrder } from './request.ts';
import type { Proof } from './state.ts';
import { alertCorruptBackup } from './watch.ts';

export type VerifyDeps = Pick<Deps, 'db' | 'clock' | 'publisher'> & {
  bucket: Bucket;
};

/** After this time no further part is started: Pub/Sub waits ten minutes for an answer, then redelivers. */
const BUDGET_MS = 8 * 60_000;
/** Faults beyond this number are left out, for example of a dump that lost a thousand tables. */
const MAX_FAULTS = 100;
const MAX_AUDITED_FAULTS = 20;

/**
 * Continues a backup's open round and closes it with a proof; returns the outcome in words. Throws retryable errors: `busy`
 * while another instance verifies the backup, `unavailable` when the bucket fails or the time is up.
 */
export async function verifyBackup(deps: VerifyDeps, order: VerificationOrder): Promise<string> {
  const finding = await readManifest(deps.db, deps.bucket, order);
  if (finding.found) await insertBackup(deps.db, fromManifest(finding.manifest, deps.clock()));
  const key = { host: order.host, id: order.backupId };
  const known = await findBackup(deps.db, key);
  if (!known) return await refuseUnknown(deps, order, finding.found ? [] : finding.faults);
  if (known.verificationState !== 'due') return 'proven before';
  return await withLease(deps, key, async (lease) => {
    // Another instance may have closed the round before this one got the lease.
    const backup = await findBackup(deps.db, key);
    if (backup?.verificationState !== 'due') return 'proven before';
    const faults = finding.found ? await checkParts(deps, backup, finding, lease) : finding.faults;
    const proof = proofOf(faults, finding);
    return await conclude(deps, backup, { lease, proof, faults, manifestSha256: finding.sha256 });
  });
}

function fromManifest(manifest: BackupManifest, now: Date): NewBackup {
  return {
    host: manifest.host,
    id: manifest.backupId,
    database: manifest.database,
    commandId: manifest.commandId,
    startedAt: new Date(manifest.startedAt),
    finishedAt: new Date(manifest.finishedAt),
    bytes: manifest.parts.reduce((sum, { bytes }) => sum + bytes, 0),
    tables: manifest.tables.length,
    rows: manifest.tables.reduce((sum, { rows }) => sum + rows, 0),
    nextPublishAt: orderAgainAt(now),
  };
}

type FoundManifest = Extract<ManifestFinding, { found: true }>;

async function checkParts(
  deps: VerifyDeps,
  { host, id, round }: StoredBackup,
  { manifest, sha256: manifestSha256 }: FoundManifest,
  lease: Pick<Lease, 'holder'>,
): Promise<string[]> {
  const proven = await listPartProofs(deps.db, { host, id, round, manifestSha256 });
  const deadline = deps.clock().getTime() + BUDGET_MS;
  const missing = Object.entries(PART_FILES).filter(
    ([name]) => !manifest.parts.some((part) => part.name === name),
  );
  const faults = missing.map(([, file]) => `${file}: the manifest has no such part`);
  for (const part of manifest.parts) {
    const before = proven.get(part.name);
    if (before) {
      faults.push(...before);
      continue;
    }
    if (deps.clock().getTime() > deadline) {
      throw new LamplighterError('unavailable', `verify backup ${id}: goes on with ${part.name}`, {
        retryable: true,
      });
    }
    const { faults: found, ...which } = await checkPart(deps.bucket, manifest, part);
    const proof = { host, id, round, part: part.name, manifestSha256, object: part.object };
    const row = { ...proof, ...which, faults: found, at: deps.clock() };
    if (!(await savePartProof(deps.db, row, lease))) throw lostLease(id);
    faults.push(...found);
  }
  return faults;
}

/** Without the age identity, an encrypted dump can only be shown to be the file that the host signed. */
function proofOf(faults: readonly string[], finding: ManifestFinding): Proof {
  if (faults.length > 0 || !finding.found) return 'corrupt';
  return isDumpEncrypted(finding.manifest) ? 'intact' : 'verified';
}

interface Conclusion {
  lease: Pick<Lease, 'holder'>;
  proof: Proof;
  faults: readonly string[];
  manifestSha256: string | null;
}

async function conclude(
  deps: VerifyDeps,
  { host, id, round }: StoredBackup,
  { lease, proof, faults: all, manifestSha256 }: Conclusion,
): Promise<string> {
  const faults = all.slice(0, MAX_FAULTS);
  // The alert comes first: after a kill between the two, the round is still open, and raising the alert again does nothing.
  if (proof === 'corrupt') await alert(deps, { host, backupId: id }, faults);
  const at = deps.clock();
  await deps.db.transaction(async (tx) => {
    if (!(await closeRound(tx, { host, id, lease, round, proof, at, faults, manifestSha256 }))) {
      throw lostLease(id);
    }
    const detail = { host, round, faults: faults.slice(0, MAX_AUDITED_FAULTS) };
    await appendAudit(tx, { at, actor: 'function:verify', action: `backup.${proof}`, target: id, detail });
  });
  return proof;
}

async function alert(
  deps: VerifyDeps,
  { host, backupId }: { host: string; backupId: string },
  faults: readonly string[],
): Promise<void> {
  const current = await findRunbook(deps.db);
  if (!current || !(host in current.runbook.hosts)) return;
  await alertCorruptBackup(deps, { host, backupId, faults }, current.runbook);
}

/** Raises an alert about an object that looks like a backup but that this host neither reported nor signed. */
async function refuseUnknown(
  deps: VerifyDeps,
  { host, backupId }: VerificationOrder,
  faults: readonly string[],
): Promise<string> {
  await alert(deps, { host, backupId }, faults);
  await deps.db.transaction(async (tx) => {
    const entry = { at: deps.clock(), actor: 'function:verify', action: 'backup.refused', target: backupId };
    await appendAudit(tx, { ...entry, detail: { host, faults } });
  });
  return 'refused: not a backup that this host made';
}
