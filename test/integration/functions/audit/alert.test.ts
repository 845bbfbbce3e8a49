// Alerts about the audit trail: the tick's anchors have failed for long, or the daily check found a fault.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Bucket, Storage } from '@google-cloud/storage';
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest';
import { anchorAudit } from '#functions/audit/anchor.ts';
import { checkTrailDaily } from '#functions/audit/daily-check.ts';
import { appendAudit, listAudit } from '#functions/store/audit.ts';
import { runTick } from '#functions/tick/tick.ts';
import { type GcsServer, startGcs } from '#local/cloud/gcs/server.ts';
import { ANCHOR_PREFIX, anchorObject } from '#shared/audit/anchor.ts';
import { signDsse } from '#shared/signing/dsse.ts';
import { createTestDeps, type TestDeps } from '#test/fixtures/deps.ts';
import { createWorld, type World } from '../tick/world.ts';

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
    `SELECT state, severity, host, condition, title, reason FROM alerts WHERE kind = 'audit' ORDER BY fired_at`,
  );

test('the tick anchors, and a tick without news asks for nothing', async () => {
  expect(await minutes(5)).toBe('asked');
  expect(await minutes(5)).toBe('not due');
  expect(await alerts()).toEqual([]);
  expect((await checkTrailDaily(deps)).verdict).toMatchObject({ intact: true, anchors: 1, anchoredUpTo: 1 });
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
  expect((await checkTrailDaily(deps)).verdict).toMatchObject({ intact: false });
  await checkTrailDaily(deps);
  expect(await alerts()).toMatchObject([
    { state: 'firing', severity: 'P1', reason: expect.stringMatching(/^entry 1: it was rewritten after/) },
  ]);
});

/** What the owner of the database can do. */
async function cutTo(length: number): Promise<void> {
  await world.db.transaction(async (tx) => {
    await tx.query('ALTER TABLE audit DISABLE TRIGGER USER');
    await tx.query('DELETE FROM audit WHERE seq > $1', [length]);
    await tx.query('ALTER TABLE audit ENABLE TRIGGER USER');
  });
}

test('a trail that was cut and grows on is one alert, day after day, and a second cut is another', async () => {
  for (const action of ['second', 'third', 'fourth']) {
    await minutes(5);
    await write(action);
  }
  await minutes(5);
  await cutTo(1);
  // The trail grows up to and beyond the entries that are missing, and is anchored again.
  for (const action of ['a', 'b', 'c', 'd']) {
    await checkTrailDaily(deps);
    await write(action);
    await minutes(5);
  }
  await checkTrailDaily(deps);
  const about = async () => (await alerts()).filter(({ condition }) => condition === 'audit-rewritten');
  expect(await about()).toMatchObject([
    { state: 'firing', reason: expect.stringMatching(/^entries 2 to 4 were removed/) },
  ]);
  await cutTo(2);
  await checkTrailDaily(deps);
  expect(await about()).toHaveLength(2);
});

test('the daily check is not deceived by a record that says that everything is anchored', async () => {
  await minutes(5);
  await write('hidden');
  await world.rows(
    `UPDATE audit_anchor SET seq = a.seq, hash = a.hash, anchored_at = $1 FROM (SELECT seq, hash FROM audit ORDER BY seq DESC LIMIT 1) a`,
    [world.now()],
  );
  expect(await minutes(30)).toBe('not due');
  expect((await checkTrailDaily(deps)).verdict).toMatchObject({ intact: true, anchoredUpTo: 1 });
  expect(await alerts()).toEqual([]);
  await minutes(30);
  await checkTrailDaily(deps);
  const [newest] = await listAudit(world.db, { limit: 1 });
  expect(newest?.seq).toBe(2);
  expect(await alerts()).toMatchObject([
    { state: 'firing', reason: expect.stringMatching(/^no anchor in the bucket covers the entries from /) },
  ]);
});

test('a trail that was cut, and is cut deeper before it is anchored again, is two alerts', async () => {
  for (const action of ['second', 'third']) {
    await minutes(5);
    await write(action);
  }
  await minutes(5);
  await cutTo(2);
  await checkTrailDaily(deps);
  await checkTrailDaily(deps);
  expect(await alerts()).toMatchObject([{ reason: expect.stringMatching(/^entry 3 was removed/) }]);
  world.pass(1);
  await cutTo(1);
  await checkTrailDaily(deps);
  await checkTrailDaily(deps);
  expect(await alerts()).toMatchObject([
    { reason: expect.stringMatching(/^entry 3 was removed/) },
    { reason: expect.stringMatching(/^entries 2 to 3 were removed/) },
  ]);
});

const YEAR_2099 = new Date('2099-01-01T00:00:00.000Z');

/** What a stolen function can do: an entry whose time is not its own. */
async function writeAt(at: Date): Promise<void> {
  const entry = { at, actor: 'token:eve', action: 'late', target: null, detail: {} };
  await world.db.transaction((tx) => appendAudit(tx, entry));
}

async function saveAnchor(at: Date, seq = 1): Promise<void> {
  const { rows } = await world.db.query('SELECT hash FROM audit WHERE seq = $1', [seq]);
  const hash = (rows[0] as { hash: Buffer }).hash.toString('hex');
  const signer = await deps.loadSigner();
  const payload = Buffer.from(JSON.stringify({ v: 1, seq, hash, at: at.toISOString() }));
  const text = JSON.stringify(await signDsse('anchor', payload, [signer]));
  await bucket.file(anchorObject({ at: at.toISOString(), seq })).save(text, { resumable: false });
}

test('the tick tells of anchors that fail, also when the first entry without one is of the year 2099', async () => {
  await minutes(5);
  await writeAt(YEAR_2099);
  isBucketThere = false;
  await minutes(35);
  expect(await alerts()).toMatchObject([{ condition: 'audit-unanchored', state: 'firing' }]);
});

test.each<[string, (now: Date) => Promise<void>, RegExp]>([
  ['no anchor', () => Promise.resolve(), /^no anchor in the bucket covers the entries that there are$/],
  [
    'no anchor of the last 25 hours',
    (now) => saveAnchor(new Date(now.getTime() - 25 * 3_600_000 - 1000)),
    /^the newest anchor in the bucket is of 2026-11-22T08:59:59.000Z \(1 d 1 h ago\)/,
  ],
  [
    'an anchor of the future alone',
    () => saveAnchor(YEAR_2099),
    /^no anchor in the bucket covers the entries that there are$/,
  ],
])(
  'the daily check judges by the bucket: %s is told, whatever the database says',
  async (_name, prepare, fault) => {
    world.pass(3600);
    await prepare(world.now());
    await writeAt(YEAR_2099);
    await world.rows(
      `INSERT INTO audit_anchor SELECT true, seq, hash, $1 FROM audit ORDER BY seq DESC LIMIT 1`,
      [world.now()],
    );
    await checkTrailDaily(deps);
    expect(await alerts()).toMatchObject([
      { condition: 'audit-uncovered', state: 'firing', reason: expect.stringMatching(fault) },
    ]);
    expect(deps.logged).toMatchObject([
      {
        severity: 'ERROR',
        message: 'audit trail is not whole',
        faults: { coverage: expect.stringMatching(fault) },
      },
    ]);
    await saveAnchor(world.now(), 2);
    await checkTrailDaily(deps);
    expect(await alerts()).toMatchObject([{ condition: 'audit-uncovered', state: 'resolved' }]);
  },
);

test('an anchor of the future hides no second cut', async () => {
  await minutes(5);
  await write('second');
  await saveAnchor(YEAR_2099, 2);
  await cutTo(1);
  await checkTrailDaily(deps);
  await write('other');
  await minutes(5);
  await write('third');
  await minutes(5);
  await cutTo(2);
  await checkTrailDaily(deps);
  const reasons = (await alerts())
    .filter(({ condition }) => condition === 'audit-rewritten')
    .map(({ reason }) => reason);
  expect(reasons).toMatchObject(
    [/^entry 2 was removed/, /^entry 2: .* rewritten/].map((text) => expect.stringMatching(text)),
  );
});

test('a daily check within 25 hours of the newest anchor finds no fault', async () => {
  await saveAnchor(new Date(world.now().getTime() - 25 * 3_600_000));
  expect((await checkTrailDaily(deps)).faults).toEqual({});
});

test('an alert about a foreign object hides neither a rewriting nor a lack of anchors', async () => {
  await minutes(5);
  await bucket.file(`${ANCHOR_PREFIX}x.json`).save('{}', { resumable: false });
  await checkTrailDaily(deps);
  expect(await alerts()).toMatchObject([{ condition: 'audit-foreign-object', state: 'firing' }]);
  await world.db.transaction(async (tx) => {
    await tx.query('ALTER TABLE audit DISABLE TRIGGER USER');
    await tx.query('TRUNCATE audit');
    await tx.query('ALTER TABLE audit ENABLE TRIGGER USER');
  });
  world.pass(26 * 3600);
  await checkTrailDaily(deps);
  const firing = (await alerts()).map(({ condition }) => condition);
  expect(new Set(firing)).toEqual(new Set(['audit-uncovered', 'audit-foreign-object', 'audit-rewritten']));
});

test('while an alert fires, another entry that was rewritten and another foreign object have alerts of their own', async () => {
  await write('second');
  await minutes(5);
  await write('third');
  await minutes(5);
  const rewrite = async (seq: number): Promise<void> => {
    await world.db.transaction(async (tx) => {
      await tx.query('ALTER TABLE audit DISABLE TRIGGER USER');
      await tx.query(`UPDATE audit SET actor = 'token:eve' WHERE seq = $1`, [seq]);
      await tx.query('ALTER TABLE audit ENABLE TRIGGER USER');
    });
    world.pass(1);
    await checkTrailDaily(deps);
  };
  const plant = async (name: string): Promise<void> => {
    await bucket.file(`${ANCHOR_PREFIX}${name}.json`).save('{}', { resumable: false });
    world.pass(1);
    await checkTrailDaily(deps);
  };
  await rewrite(3);
  await rewrite(2);
  await plant('x');
  await plant('y');
  await checkTrailDaily(deps);
  expect((await alerts()).map(({ reason }) => reason)).toEqual([
    'entry 3: it was changed',
    'entry 2: it was changed',
    expect.stringMatching(/x\.json: not an anchor/),
    expect.stringMatching(/y\.json: not an anchor/),
  ]);
});

test('the tick tells when no daily check has ended for 26 hours of watching, and the next check ends that', async () => {
  /** Time in which ticks came. */
  const watch = async (hours: number): Promise<void> => {
    world.pass(hours * 3600);
    await world.rows('UPDATE watch_presence SET last_tick_at = $1', [world.now()]);
    await runTick(world.deps);
  };
  const about = async () => (await alerts()).filter(({ condition }) => condition === 'audit-unchecked');
  await runTick(world.deps);
  await watch(25);
  expect(await about()).toEqual([]);
  await watch(1);
  expect(await about()).toMatchObject([
    { state: 'firing', reason: expect.stringMatching(/has never ended/) },
  ]);
  await checkTrailDaily(deps);
  await watch(0);
  expect(await about()).toMatchObject([{ state: 'resolved' }]);
  // A record of the future keeps nothing quiet.
  await world.rows('UPDATE audit_check SET ended_at = $1', [YEAR_2099]);
  await watch(0);
  expect(await about()).toMatchObject([{ state: 'resolved' }, { state: 'firing' }]);
});
