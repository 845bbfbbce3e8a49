// Proves a backup from what is in the bucket, part by part; cut short, it goes on where it was.
import { randomUUID } from 'node:crypto';
import type { Bucket } from '@google-cloud/storage';
import { type BackupManifest, PART_FILES } from '#shared/backup/manifest.ts';
import { LamplighterError } from '#shared/errors.ts';
import type { Deps } from '../deps.ts';
import { appendAudit } from '../store/audit.ts';
import * as store from '../store/backups.ts';
import { findRunbook } from '../store/runbooks.ts';
import { alertCorruptBackup } from '../watch/backup.ts';
import { type Crc32cFactory, checkPart } from './check-part.ts';
import { readManifest } from './read-manifest.ts';
import type { VerificationOrder } from './request.ts';

export type VerifyDeps = Pick<Deps, 'db' | 'clock' | 'publisher'> & {
  bucket: Bucket;
  createCrc32c: Crc32cFactory;
};

/** Longer than a call may take; a killed verification is taken up again after this. */
const LEASE_MS = 15 * 60 * 1000;
/** A message delivered twice finds the proof just made. */
const FRESH_MS = 60 * 1000;

/** Verifies one backup and records the proof. Throws `busy` (retryable) while somebody else does. */
export async function verifyBackup(deps: VerifyDeps, order: VerificationOrder): Promise<string> {
  const { host, backupId: id } = order;
  const finding = await readManifest(deps, deps.bucket, order);
  if (finding.found) await store.insertBackup(deps.db, fromManifest(finding.manifest));
  const [known] = (await store.findBackupsById(deps.db, id)).filter((backup) => backup.host === host);
  // Nothing that this host ever reported or signed: whoever wrote the object, it is no backup of ours.
  if (!known) return await refuseForeign(deps, order, finding.found ? [] : finding.faults);
  const now = deps.clock();
  if (!order.isForced && known.proofAt && now.getTime() - known.proofAt.getTime() < FRESH_MS)
    return 'proven just now';
  const lease = { host, id, owner: randomUUID(), now, until: new Date(now.getTime() + LEASE_MS) };
  if (!(await store.acquireBackupLease(deps.db, lease))) {
    throw new LamplighterError('busy', `verify backup ${id}: it is being verified`, { retryable: true });
  }
  try {
    if (order.isForced) await store.deletePartProofs(deps.db, host, id);
    const faults = finding.found ? await checkParts(deps, finding.manifest, finding.sha256) : finding.faults;
    return await conclude(deps, order, faults, finding.sha256);
  } finally {
    await store.releaseBackupLease(deps.db, lease);
  }
}

function fromManifest(manifest: BackupManifest): store.NewBackup {
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
  };
}

async function checkParts(
  deps: VerifyDeps,
  manifest: BackupManifest,
  manifestSha256: string,
): Promise<string[]> {
  const { host, backupId: id } = manifest;
  const proven = new Map(
    (await store.listPartProofs(deps.db, host, id, manifestSha256)).map(({ part, faults }) => [part, faults]),
  );
  const missing = Object.entries(PART_FILES).filter(
    ([name]) => !manifest.parts.some((part) => part.name === name),
  );
  const faults = missing.map(([, file]) => `${file}: the manifest has no such part`);
  for (const part of manifest.parts) {
    let found = proven.get(part.name);
    if (!found) {
      found = await checkPart(deps.bucket, manifest, part, deps.createCrc32c);
      await store.savePartProof(deps.db, {
        host,
        id,
        part: part.name,
        manifestSha256,
        faults: found,
        at: deps.clock(),
      });
    }
    faults.push(...found);
  }
  return faults;
}

async function conclude(
  deps: VerifyDeps,
  order: VerificationOrder,
  faults: readonly string[],
  manifestSha256: string | null,
): Promise<string> {
  const { host, backupId: id } = order;
  const at = deps.clock();
  const state = faults.length === 0 ? 'verified' : 'corrupt';
  await deps.db.transaction(async (tx) => {
    await store.saveProof(tx, { host, id, state, at, faults, manifestSha256 });
    const detail = { host, faults: faults.slice(0, 20) };
    await appendAudit(tx, { at, actor: 'verify', action: `backup.${state}`, target: id, detail });
  });
  const current = await findRunbook(deps.db);
  if (state === 'corrupt' && current)
    await alertCorruptBackup(deps, { host, backupId: id, faults }, current.runbook);
  return state;
}

async function refuseForeign(
  deps: VerifyDeps,
  { host, backupId }: VerificationOrder,
  faults: readonly string[],
): Promise<string> {
  await deps.db.transaction(async (tx) => {
    const entry = { at: deps.clock(), actor: 'verify', action: 'backup.refused', target: backupId };
    await appendAudit(tx, { ...entry, detail: { host, faults } });
  });
  return 'refused: not a backup that this host made';
}
