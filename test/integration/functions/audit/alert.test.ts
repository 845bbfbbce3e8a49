// What is told about the audit trail: the tick's anchors that fail for long, and the daily check.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Bucket, Storage } from '@google-cloud/storage';
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest';
import { anchorAudit } from '#functions/audit/anchor.ts';
import { checkTrailDaily } from '#functions/audit/daily-check.ts';
import { appendAudit, listAudit } from '#functions/store/audit.ts';
import { runTick } from '#functions/watch/tick.ts';
import { type GcsServer, startGcs } from '#local/gcs/server.ts';
import { createTestDeps, type TestDeps } from '#test/fixtures/deps.ts';
import { createWorld, type World } from '../watch/world.ts';

const RUNBOOK = `
version: 1
name: test platform
hosts:
  web-1: { address: 192.0.2.1 }
channels:
  mail: { kind: email, to: [on-call@example.com], minLevel: INFO }
severityRules:
  - { when: { kind: audit }, severity: P1 }
`;

const dir = mkdtempSync(join(tmpdir(), 'lamplighter-audit-alert-'));
let gcs: GcsServer;
let bucket: Bucket;
let count = 0;
let world: World;
let deps: TestDeps;
let isBucketThere = true;

beforeAll(async () => {
  gcs = await startGcs({ host: '127.0.0.1', dataDir: dir });
});
afterAll(async () => {
  await gcs?.close();
  rmSync(dir, { recursive: true, force: true });
});
beforeEach(async () => {
  world = await createWorld(RUNBOOK);
  count += 1;
  bucket = new Storage({ apiEndpoint: gcs.url, projectId: 'test' }).bucket(`test-backups-${count}`);
  await bucket.create();
  isBucketThere = true;
  const openBucket = () =>
    isBucketThere ? Promise.resolve(bucket) : Promise.reject(new Error('no bucket answers'));
  deps = createTestDeps(world.db, { openBucket, clock: world.now });
  await write('first');
});
afterEach(() => world.drop());

async function write(action: string): Promise<void> {
  const entry = { at: world.now(), actor: 'token:alice', action, target: null, detail: {} };
  await world.db.transaction((tx) => appendAudit(tx, entry));
}

/** Ticks every five minutes; gives what the tick did of anchoring. */
async function minutes(total: number): Promise<unknown> {
  let did: unknown;
  for (let minute = 0; minute < total; minute += 5) {
    world.pass(60);
    await runTick({ ...world.deps, anchorAudit: () => Promise.reject(new Error('between')) });
    world.pass(120);
    await runTick({ ...world.deps, anchorAudit: () => Promise.reject(new Error('between')) });
    world.pass(120);
    const report = await runTick({ ...world.deps, anchorAudit: async () => void (await anchorAudit(deps)) });
    expect(report.failures).toEqual([]);
    did = report.did.anchored;
  }
  return did;
}

const alerts = () =>
  world.rows(
    `SELECT state, severity, host, title, reason FROM alerts WHERE kind = 'audit' ORDER BY fired_at`,
  );

test('the tick anchors, and a tick without news asks for nothing', async () => {
  expect(await minutes(5)).toBe('asked');
  expect(await minutes(5)).toBe('not due');
  expect(await alerts()).toEqual([]);
  expect(await checkTrailDaily(deps)).toMatchObject({ intact: true, anchors: 1, anchoredUpTo: 1 });
});

test('a bucket that takes no anchor stops no tick, raises one alert after half an hour, and its return ends it', async () => {
  isBucketThere = false;
  expect(await minutes(25)).toBe('failed');
  expect(await alerts()).toEqual([]);
  await minutes(15);
  expect(await alerts()).toMatchObject([
    { state: 'firing', severity: 'P1', host: 'control-plane', title: 'audit trail is not anchored' },
  ]);
  isBucketThere = true;
  expect(await minutes(5)).toBe('asked');
  await minutes(5);
  expect(await alerts()).toMatchObject([{ state: 'resolved' }]);
});

test('the daily check raises one alert about a trail that was rewritten, with the entry', async () => {
  await minutes(5);
  await world.db.transaction(async (tx) => {
    await tx.query('ALTER TABLE audit DISABLE TRIGGER USER');
    await tx.query('TRUNCATE audit');
    await tx.query('ALTER TABLE audit ENABLE TRIGGER USER');
  });
  await write('another');
  expect(await checkTrailDaily(deps)).toMatchObject({ intact: false });
  await checkTrailDaily(deps);
  expect(await alerts()).toMatchObject([
    { state: 'firing', severity: 'P1', reason: expect.stringMatching(/^entry 1: it was rewritten after/) },
  ]);
});

test('the daily check is not deceived by a record that says that everything is anchored', async () => {
  await minutes(5);
  await write('hidden');
  await world.rows(
    `UPDATE audit_anchor SET seq = a.seq, hash = a.hash, anchored_at = $1 FROM (SELECT seq, hash FROM audit ORDER BY seq DESC LIMIT 1) a`,
    [world.now()],
  );
  expect(await minutes(30)).toBe('not due');
  expect(await checkTrailDaily(deps)).toMatchObject({ intact: true, anchoredUpTo: 1 });
  expect(await alerts()).toEqual([]);
  await minutes(30);
  await checkTrailDaily(deps);
  const [newest] = await listAudit(world.db, { limit: 1 });
  expect(newest?.seq).toBe(2);
  expect(await alerts()).toMatchObject([
    { state: 'firing', reason: expect.stringMatching(/^no anchor in the bucket covers the entries from /) },
  ]);
});
