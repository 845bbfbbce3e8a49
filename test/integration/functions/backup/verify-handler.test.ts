import { describe, expect, test } from 'vitest';
import { anchorAudit } from '#functions/audit/anchor.ts';
import { recordBackup } from '#functions/backup/record.ts';
import { handleVerify } from '#functions/backup/verify-handler.ts';
import { latestBackupView } from '#functions/backup/view.ts';
import { appendAudit } from '#functions/store/audit.ts';
import { ANCHOR_PREFIX } from '#shared/audit/anchor.ts';
import { type BackupManifest, backupObject } from '#shared/backup/manifest.ts';
import { BackupId } from '#shared/names.ts';
import { serveHandler } from '#test/fixtures/function-server.ts';
import { storeBackup } from '#test/fixtures/stored-backup.ts';
import { HOST, useBackupWorld } from './world.ts';

const world = useBackupWorld();

const ENTRY = { actor: 'token:alice', action: 'act', target: null, detail: {} };

/** What the scheduler sends once a day. */
async function callDaily(url: string): Promise<Response> {
  const headers = { 'content-type': 'application/json' };
  return await fetch(url, { method: 'POST', body: '{"all":true}', headers });
}

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
    await anchorAudit(world.deps);
    const server = await serveHandler(handleVerify(world.deps));
    const round = async (): Promise<string[]> => {
      world.deps.published.length = 0;
      const response = await callDaily(server.url);
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
      await world.bucket.deleteFiles({ prefix: ANCHOR_PREFIX });
    }
  });

  test('the daily call checks the audit trail also when the round of the backups fails', async () => {
    await storeBackup(world.bucket, world.plan);
    await world.verify();
    await world.bucket.file(`${ANCHOR_PREFIX}x.json`).save('{}', { resumable: false });
    const publish = () => Promise.reject(new Error('no topic answers'));
    const publisher = { ...world.deps.publisher, publish };
    const server = await serveHandler(handleVerify({ ...world.deps, publisher }));
    try {
      expect((await callDaily(server.url)).status).toBe(500);
      expect((await world.alerts()).map(({ reason }) => reason)).toContainEqual(
        expect.stringMatching(/^anchor .*x\.json/),
      );
      expect(world.deps.logged.map(({ error }) => error)).toContainEqual(
        expect.stringContaining('no topic answers'),
      );
    } finally {
      await server.close();
      await world.bucket.file(`${ANCHOR_PREFIX}x.json`).delete();
    }
  });

  test('the daily call fails when the trail is not whole, so that the job of the scheduler does', async () => {
    const server = await serveHandler(handleVerify(world.deps));
    try {
      // The trail has an entry, and the bucket no anchor.
      await world.deps.db.transaction((tx) =>
        appendAudit(tx, { ...ENTRY, at: new Date(world.deps.now.getTime() - 3_600_000) }),
      );
      expect((await callDaily(server.url)).status).toBe(500);
      expect(world.deps.logged.map(({ message }) => message)).toContain('audit trail is not whole');
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
      await world.deps.db.query('UPDATE backups SET lease_holder = gen_random_uuid(), leased_until = $1', [
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
