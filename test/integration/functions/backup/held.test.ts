// A backup that is whole on its host, while the bucket does not have it.
import { expect, test } from 'vitest';
import { latestBackupView, listBackupViews } from '#functions/backup/view.ts';
import { advanceCommand } from '#functions/command/advance.ts';
import { findCommand, insertCommand } from '#functions/store/commands.ts';
import type { BackupView } from '#shared/api/views.ts';
import { storeBackup } from '#test/fixtures/stored-backup.ts';
import { HOST, useBackupWorld } from './world.ts';

const world = useBackupWorld();

async function endCommand(code: 'not-uploaded' | 'step-failed', result: unknown): Promise<void> {
  const { deps } = world;
  const { commandId: id } = world.report();
  await deps.db.transaction(async (tx) => {
    await insertCommand(tx, {
      id,
      operation: 'backup.run',
      host: HOST,
      params: {},
      dryRun: false,
      actor: { kind: 'schedule', name: 'backup', role: 'operator' },
      idempotencyKey: null,
      orderDigest: '',
      incident: null,
      requestedAt: deps.now,
      expiresAt: deps.now,
      timeoutMs: 1000,
      nextPublishAt: deps.now,
    });
    const record = await findCommand(tx, id);
    await advanceCommand(tx, record!, { news: 'runner-end', end: 'failed', code, result, at: deps.now });
  });
}

async function listed(): Promise<[string, BackupView['proof']['state']][]> {
  return (await listBackupViews(world.deps.db, 50)).map(({ id, proof }) => [id, proof.state]);
}

test('it is listed as not uploaded until the cloud has proven it, and never counts as the last backup', async () => {
  await endCommand('not-uploaded', world.report().result);
  expect(await listed()).toEqual([[world.id, 'not-uploaded']]);
  expect(await latestBackupView(world.deps.db)).toBeNull();
  await storeBackup(world.bucket, world.plan);
  expect(await world.verify()).toBe('verified');
  expect(await listed()).toEqual([[world.id, 'verified']]);
});

test('a backup that failed otherwise is no backup', async () => {
  await endCommand('step-failed', undefined);
  expect(await listed()).toEqual([]);
});
