// Reads manifests of backups of this host. Every reader fails as `corrupt-backup`, and says what to do next.
import type { KeyObject } from 'node:crypto';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { believeManifest, type ManifestDoubt, type ManifestSigner } from '#shared/backup/believe-manifest.ts';
import type { BackupManifest } from '#shared/backup/manifest.ts';
import { OperationFailure } from '#shared/command/operation-failure.ts';
import { parsePublicKey } from '#shared/signing/dsse.ts';
import { PATHS } from '../../config/paths.ts';
import { type LocalBackup, readPublished } from './store.ts';

const CHOOSE_ANOTHER = 'Choose another backup: `lamp backups` lists them.';
const HINTS: Record<ManifestDoubt, string> = {
  document: CHOOSE_ANOTHER,
  backup: CHOOSE_ANOTHER,
  signature: `If the host was reinstalled, put its former runner's public key into ${PATHS.formerRunnerKeys}.`,
  form: 'Restore it with the version of Lamplighter that made it, or update the agent on this host.',
};

/** The failure of a backup that is not what it should be; `task` is what found it: `check backup ID`. */
export function corruptBackup(task: string, fault: string, hint: string = CHOOSE_ANOTHER): OperationFailure {
  return new OperationFailure('corrupt-backup', 'corrupt', `${task}: ${fault}`, { hint });
}

/** This host's runner key, and those that root put beside it: of the machine that this one replaces. */
export function readRunnerKeys(): KeyObject[] {
  const former = existsSync(PATHS.formerRunnerKeys) ? readdirSync(PATHS.formerRunnerKeys) : [];
  const files = former
    .filter((name) => name.endsWith('.pem'))
    .map((name) => join(PATHS.formerRunnerKeys, name));
  return [PATHS.runnerPublicKey, ...files].map((file) => parsePublicKey(readFileSync(file, 'utf8')));
}

/** Reads a manifest of a backup; with `signer` it must be signed. Throws `corrupt`. */
export function readManifest(text: string, backupId: string, signer?: ManifestSigner): BackupManifest {
  const belief = believeManifest(text, backupId, signer);
  if (belief.believed) return belief.manifest;
  throw corruptBackup(`check backup ${backupId}`, belief.fault, HINTS[belief.doubt]);
}

/** The manifest of a whole local backup, and its text. Throws `corrupt`. */
export function readLocalManifest(backup: LocalBackup): { manifest: BackupManifest; text: string } {
  const text = readPublished(backup);
  return { manifest: readManifest(text, backup.backupId), text };
}
