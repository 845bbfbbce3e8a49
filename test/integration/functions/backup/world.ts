// A control plane with an enrolled host and a bucket, for tests of verification. Call it once at the top of a test file.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Bucket, type File, Storage } from '@google-cloud/storage';
import { v7 as uuidv7 } from 'uuid';
import { afterAll, afterEach, beforeAll, beforeEach } from 'vitest';
import { type VerifyDeps, verifyBackup } from '#functions/backup/verify.ts';
import { startGcs } from '#local/cloud/gcs/server.ts';
import { backupIdFor, backupObject } from '#shared/backup/manifest.ts';
import type { FinishedReport } from '#shared/command/report.ts';
import { BackupId, CommandId, HostName } from '#shared/names.ts';
import { applyTestRunbook, enrolTestHost, type HostKeys } from '#test/fixtures/control-plane.ts';
import { createTestDeps, type TestDeps } from '#test/fixtures/deps.ts';
import { createTestDatabase } from '#test/fixtures/postgres.ts';
import type { BackupPlan } from '#test/fixtures/stored-backup.ts';

export const HOST = HostName.parse('web-1');

export interface BackupWorld {
  bucket: Bucket;
  deps: TestDeps & VerifyDeps;
  keys: HostKeys;
  /** What the test's backup is made from. */
  plan: BackupPlan;
  id: BackupId;
  verify(id?: BackupId): Promise<string>;
  /** An object of the test's backup. */
  object(file: string): File;
  /** The host's report that the backup was taken. */
  report(): FinishedReport;
  alerts(): Promise<{ title: string; reason: string }[]>;
  /** Actions in the audit trail that are about backups. */
  audited(): Promise<string[]>;
}

/** Registers the hooks; what it returns is filled before each test. */
export function useBackupWorld(): BackupWorld {
  const world = {} as BackupWorld;
  const dir = mkdtempSync(join(tmpdir(), 'lamplighter-verify-'));
  const closing: (() => Promise<void>)[] = [];
  beforeAll(async () => {
    const gcs = await startGcs({ host: '127.0.0.1', dataDir: dir });
    closing.push(() => gcs.close());
    world.bucket = new Storage({ apiEndpoint: gcs.url, projectId: 'test' }).bucket('test-backups');
    await world.bucket.create();
  });
  afterAll(async () => {
    for (const close of closing) await close();
    rmSync(dir, { recursive: true, force: true });
  });
  let drop: () => Promise<void>;
  beforeEach(async () => {
    const database = await createTestDatabase();
    drop = database.drop;
    await fill(world, database.db);
  });
  afterEach(async () => {
    await drop();
  });
  return world;
}

async function fill(world: BackupWorld, db: TestDeps['db']): Promise<void> {
  const { bucket } = world;
  const openBucket = () => Promise.resolve(bucket);
  const deps = Object.assign(createTestDeps(db, { openBucket }), {
    bucket,
  });
  const keys = await enrolTestHost(db, HOST);
  await applyTestRunbook(db);
  const commandId = CommandId.parse(uuidv7());
  const id = backupIdFor(deps.now, commandId);
  const rows = async <T>(sql: string): Promise<T[]> => (await db.query(sql)).rows as T[];
  Object.assign(world, {
    deps,
    keys,
    id,
    plan: { host: HOST, id, commandId, runner: keys.runner },
    verify: (which: BackupId = id) => verifyBackup(deps, { host: HOST, backupId: which }),
    object: (file: string) => bucket.file(backupObject(HOST, id, file)),
    report: () => reportOf(id, commandId),
    alerts: () => rows("SELECT title, reason FROM alerts WHERE state = 'firing'"),
    audited: async () => {
      const found = await rows<{ action: string }>(
        "SELECT action FROM audit WHERE action LIKE 'backup.%' ORDER BY seq",
      );
      return found.map(({ action }) => action);
    },
  });
}

function reportOf(id: BackupId, commandId: CommandId): FinishedReport {
  return {
    v: 1,
    id: uuidv7(),
    host: HOST,
    at: '2026-11-23T09:59:30.000Z',
    type: 'command.finished',
    commandId,
    state: 'succeeded',
    steps: [],
    result: {
      backupId: id,
      database: 'analytics',
      bytes: 10,
      tables: 3,
      rows: 1503,
      durationMs: 60_000,
      manifestObject: backupObject(HOST, id, 'manifest.json'),
    },
  };
}
