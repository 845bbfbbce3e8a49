import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { readLocalManifest, readManifest } from '#agent/operations/backup/read-manifest.ts';
import { type LocalBackup, localBackup } from '#agent/operations/backup/store.ts';
import { BackupId } from '#shared/names.ts';
import { parsePublicKey } from '#shared/signing/dsse.ts';
import { makeKey } from '#test/fixtures/deps.ts';
import { LOCAL_MANIFEST, signManifest } from '#test/fixtures/stored-backup.ts';

const BACKUP_ID = BackupId.parse(LOCAL_MANIFEST.backupId);
const RUNNER = makeKey();

function localBackupWith(text: string): LocalBackup {
  const localDir = mkdtempSync(join(tmpdir(), 'manifest-'));
  onTestFinished(() => rmSync(localDir, { recursive: true, force: true }));
  mkdirSync(join(localDir, BACKUP_ID));
  writeFileSync(join(localDir, BACKUP_ID, 'manifest.json'), text);
  return localBackup(localDir, BACKUP_ID);
}

const READERS: Record<string, (text: string) => unknown> = {
  'of a local backup': (text) => readLocalManifest(localBackupWith(text)),
  'of a restore': (text) =>
    readManifest(text, BACKUP_ID, {
      host: LOCAL_MANIFEST.host,
      keys: [parsePublicKey(RUNNER.publicPem)],
    }),
};

test.each(Object.entries(READERS))('the reader %s gives a sound manifest', async (_name, read) => {
  expect(JSON.stringify(read(await signManifest(LOCAL_MANIFEST, RUNNER)))).toContain(BACKUP_ID);
});

test.each(Object.entries(READERS))(
  'the reader %s fails as corrupt-backup, in sentences',
  async (_name, read) => {
    const LATER = await signManifest({ ...LOCAL_MANIFEST, v: 2 }, RUNNER);
    const failureOf = (text: string): unknown => {
      try {
        return read(text);
      } catch (error) {
        return error;
      }
    };
    expect(failureOf(LATER)).toMatchObject({
      outcome: 'corrupt-backup',
      code: 'corrupt',
      message: `check backup ${BACKUP_ID}: manifest.json: not a manifest of a form that this version of Lamplighter reads: v: it must be 1`,
      hint: 'Restore it with the version of Lamplighter that made it, or update the agent on this host.',
    });
    expect(failureOf(LATER.slice(0, -2))).toMatchObject({
      outcome: 'corrupt-backup',
      message: `check backup ${BACKUP_ID}: manifest.json: not a signed document`,
      hint: expect.stringContaining('lamp backups'),
    });
  },
);
