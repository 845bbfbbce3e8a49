import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { type Candidate, chooseExpired, listCandidates } from '#agent/operations/backup/retention.ts';
import { BackupId } from '#shared/names.ts';
import { makeKey } from '#test/fixtures/deps.ts';
import { LOCAL_MANIFEST, signManifest } from '#test/fixtures/stored-backup.ts';

const NOW = Date.parse('2026-11-23T10:00:00Z');

function local(day: string, change: Partial<Candidate> = {}): Candidate {
  const backupId = BackupId.parse(`${day}T020000Z-abcdef`);
  return {
    backupId,
    dir: `/backups/${backupId}`,
    bytes: 1,
    isWhole: true,
    isUploaded: true,
    database: 'shop',
    ...change,
  };
}

const BACKUP_ID = LOCAL_MANIFEST.backupId;

const TORN = { isWhole: false, database: undefined };
const DAMAGED = { database: undefined };
const UNSENT = { isUploaded: false };

test.each<[string, Candidate[], string[]]>([
  ['nothing', [], []],
  ['the young ones stay', [local('20261120'), local('20261122')], []],
  ['the old ones go', [local('20261001'), local('20261020'), local('20261122')], ['20261001', '20261020']],
  ['the newest good one stays, however old', [local('20260101'), local('20260201')], ['20260101']],
  [
    'so does that of another database, of which there is none since',
    [local('20260101'), local('20260102', { database: 'crm' }), local('20260103'), local('20261122')],
    ['20260101', '20260103'],
  ],
  ['one without a manifest keeps nothing', [local('20260101'), local('20261122', TORN)], []],
  ['nor does one that is damaged', [local('20260101'), local('20261122', DAMAGED)], []],
  ['one without a manifest goes when it is old', [local('20260101', TORN), local('20260201')], ['20260101']],
  ['so does one that is damaged', [local('20260101', DAMAGED), local('20260201')], ['20260101']],
  [
    'one that only this disk has stays',
    [local('20260101', UNSENT), local('20260102', { ...TORN, ...UNSENT }), local('20260201')],
    ['20260102'],
  ],
])('retention of 30 days: %s', (_name, backups, expired) => {
  const chosen = chooseExpired(backups, 30, NOW).expired.map(({ backupId }) => backupId);
  expect(chosen).toEqual(expired.map((day) => `${day}T020000Z-abcdef`));
});

test('what stays because the bucket does not have it is told', () => {
  const { waiting } = chooseExpired([local('20260101', UNSENT), local('20261122')], 30, NOW);
  expect(waiting).toMatchObject([{ backupId: '20260101T020000Z-abcdef' }]);
});

test.each([
  ['is whole', 'shop', 3, undefined],
  ['has a part of another size', undefined, 2, undefined],
  ['has a manifest that was cut off', undefined, 3, '{"cut off'],
])('a backup that %s counts for the database %s', async (_name, database, bytes, text) => {
  const localDir = mkdtempSync(join(tmpdir(), 'lamplighter-backups-'));
  onTestFinished(() => rmSync(localDir, { recursive: true }));
  const dir = join(localDir, BACKUP_ID);
  mkdirSync(dir);
  writeFileSync(join(dir, 'database.dump.zst'), 'x'.repeat(bytes));
  writeFileSync(join(dir, 'manifest.json'), text ?? (await signManifest(LOCAL_MANIFEST, makeKey())));
  expect(listCandidates(localDir)).toMatchObject([{ isWhole: true, database }]);
});
