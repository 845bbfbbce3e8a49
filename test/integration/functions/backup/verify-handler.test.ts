import { describe, expect, test } from 'vitest';
import { recordBackup } from '#functions/backup/record.ts';
import { handleVerify } from '#functions/backup/verify-handler.ts';
import { latestBackupView } from '#functions/backup/view.ts';
import { type BackupManifest, backupObject } from '#shared/backup/manifest.ts';
import { BackupId } from '#shared/names.ts';
import { serveHandler } from '#test/fixtures/function-server.ts';
import { storeBackup } from '#test/fixtures/stored-backup.ts';
import { HOST, useBackupWorld } from './world.ts';

const world = useBackupWorld();

describe('entry point `verify`', () => {
  test('the daily round orders the newest, the unproven and those whose objects changed', async () => {
    await storeBackup(world.bucket, world.plan);
    await world.verify();
    const older = {
      ...world.plan,
      id: '20261120T020000Z-aaaaaa',
      changeManifest: (m: BackupManifest) => ({ ...m, finishedAt: '2026-11-20T02:00:00.000Z' }),
    };
    await storeBackup(world.bucket, older);
    await world.verify(BackupId.parse(older.id));
    const server = await serveHandler(handleVerify(world.deps));
    const round = async (): Promise<string[]> => {
      world.deps.published.length = 0;
      const response = await fetch(server.url, {
        method: 'POST',
        body: '{"all":true}',
        headers: { 'content-type': 'application/json' },
      });
      expect(await response.json()).toEqual({ ordered: world.deps.published.length, auditIntact: true });
      return world.deps.published
        .map(({ message }) => JSON.parse(message.data.toString()).backupId as string)
        .toSorted((a, b) => a.localeCompare(b));
    };
    try {
      expect(await round()).toEqual([world.id]);
      await world.bucket.file(backupObject(HOST, older.id, 'globals.sql.age')).delete();
      expect(await round()).toEqual([older.id, world.id]);
      expect(await world.verify(BackupId.parse(older.id))).toBe('corrupt');
      await world.verify();
      expect(await round()).toEqual([world.id]);
    } finally {
      await server.close();
    }
  });

  test('acknowledges what is no order, answers 503 while another is at it, 204 when done', async () => {
    await storeBackup(world.bucket, world.plan);
    const server = await serveHandler(handleVerify(world.deps));
    const push = async (data: unknown): Promise<number> => {
      const message = { data: Buffer.from(JSON.stringify(data)).toString('base64'), messageId: '1' };
      const body = JSON.stringify({ message, subscription: 'projects/p/subscriptions/verifications' });
      return (
        await fetch(server.url, { method: 'POST', body, headers: { 'content-type': 'application/json' } })
      ).status;
    };
    try {
      expect(await push({ nonsense: true })).toBe(204);
      await recordBackup(world.deps, world.report());
      const held = new Date(world.deps.now.getTime() + 60_000);
      await world.deps.db.query('UPDATE backups SET lease_owner = gen_random_uuid(), lease_until = $1', [
        held,
      ]);
      expect(await push({ host: HOST, backupId: world.id })).toBe(503);
      // Its holder was killed: the lease runs out.
      world.deps.advance(61_000);
      expect(await push({ host: HOST, backupId: world.id })).toBe(204);
      expect((await latestBackupView(world.deps.db))?.proof.state).toBe('verified');
    } finally {
      await server.close();
    }
  });
});

describe('a report of a finished backup', () => {
  test('is recorded once and its proof asked for until there is one', async () => {
    await recordBackup(world.deps, world.report());
    await recordBackup(world.deps, world.report());
    expect(world.deps.published).toHaveLength(2);
    await storeBackup(world.bucket, world.plan);
    await world.verify();
    await recordBackup(world.deps, world.report());
    expect(world.deps.published.filter(({ topic }) => topic === 'lamplighter-verifications')).toHaveLength(2);
    expect(await latestBackupView(world.deps.db)).toMatchObject({
      id: world.id,
      proof: { state: 'verified' },
    });
  });

  test('of a backup whose manifest never came ends as corrupt', async () => {
    await recordBackup(world.deps, world.report());
    expect(await world.verify()).toBe('corrupt');
    expect((await latestBackupView(world.deps.db))?.proof.faults).toEqual([
      'manifest.json: not in the bucket',
    ]);
  });
});
