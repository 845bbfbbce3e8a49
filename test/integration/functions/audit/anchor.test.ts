// The audit trail against its anchors: a real database with its two roles, and the bucket over the wire.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Bucket, Storage } from '@google-cloud/storage';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { anchorAudit } from '#functions/audit/anchor.ts';
import { checkTrail, type TrailVerdict } from '#functions/audit/check.ts';
import { readAnchors } from '#functions/audit/read-anchors.ts';
import { type AuditEntry, appendAudit, verifyAuditChain } from '#functions/store/audit.ts';
import { findLastAnchor } from '#functions/store/audit-anchor.ts';
import { type Database, openDatabase } from '#functions/store/database.ts';
import { functionsUrl, letFunctionsIn } from '#functions/store/functions-role.ts';
import { type GcsServer, startGcs } from '#local/cloud/gcs/server.ts';
import { ANCHOR_PREFIX, type AuditAnchor, anchorObject } from '#shared/audit/anchor.ts';
import { type PayloadKind, signDsse } from '#shared/signing/dsse.ts';
import { keySigner } from '#shared/signing/key-signer.ts';
import { createTestDeps, makeKey, type TestDeps, type TestKey } from '#test/fixtures/deps.ts';
import { createTestDatabase, FUNCTIONS_PASSWORD, type TestDatabase } from '#test/fixtures/postgres.ts';

const RETENTION_S = 3600;
const dir = mkdtempSync(join(tmpdir(), 'lamplighter-anchor-'));
let gcs: GcsServer;
let storage: Storage;
let buckets = 0;
let bucket: Bucket;
let database: TestDatabase;
let functions: Database;
let deps: TestDeps;

beforeAll(async () => {
  gcs = await startGcs({ host: '127.0.0.1', dataDir: dir });
  storage = new Storage({ apiEndpoint: gcs.url, projectId: 'test' });
  database = await createTestDatabase();
  const url = functionsUrl(database.url, FUNCTIONS_PASSWORD);
  await letFunctionsIn(database.db, url);
  functions = openDatabase(url);
});
afterAll(async () => {
  await functions?.close();
  await database?.drop();
  await gcs?.close();
  rmSync(dir, { recursive: true, force: true });
});
beforeEach(async () => {
  await replaceTrail([]);
  await database.db.query('TRUNCATE audit_anchor');
  buckets += 1;
  bucket = storage.bucket(`test-backups-${buckets}`);
  await bucket.create({ retentionPolicy: { retentionPeriod: RETENTION_S } } as object);
  deps = createTestDeps(functions, { openBucket: () => Promise.resolve(bucket) });
});

function entry(n: number, actor = 'token:alice'): AuditEntry {
  return {
    at: new Date(Date.UTC(2026, 10, 23, 9, 0, n)),
    actor,
    action: `act-${n}`,
    target: null,
    detail: {},
  };
}

/** Appends entries and anchors the last, five minutes after what was before. */
async function grow(from: number, to: number): Promise<number | null> {
  for (let n = from; n <= to; n++) await functions.transaction((tx) => appendAudit(tx, entry(n)));
  deps.advance(300_000);
  return await anchorAudit(deps);
}

async function check(): Promise<TrailVerdict> {
  const found = await readAnchors(bucket, deps.config.get('SIGNING_PUBLIC_KEYS'));
  return await checkTrail(functions, found, deps.now);
}

async function names(): Promise<string[]> {
  const [files] = await bucket.getFiles({ prefix: ANCHOR_PREFIX });
  return files.map(({ name }) => name);
}

/** What the database's owner can do: another trail that is whole in itself. */
async function replaceTrail(entries: readonly AuditEntry[]): Promise<void> {
  await database.db.transaction(async (tx) => {
    await tx.query('ALTER TABLE audit DISABLE TRIGGER USER');
    await tx.query('TRUNCATE audit');
    for (const one of entries) await appendAudit(tx, one);
    await tx.query('ALTER TABLE audit ENABLE TRIGGER USER');
  });
  expect(await verifyAuditChain(functions)).toEqual({ intact: true, entries: entries.length });
}

const range = (from: number, to: number) => Array.from({ length: to - from + 1 }, (_, i) => entry(from + i));

describe('the trail is held against its anchors', () => {
  test('a trail that only grew is intact, and what no anchor covers yet is told', async () => {
    expect(await grow(1, 3)).toBe(3);
    expect(await grow(4, 4)).toBe(4);
    await functions.transaction((tx) => appendAudit(tx, entry(5)));
    expect(await check()).toEqual({
      intact: true,
      entries: 5,
      anchors: 2,
      anchoredUpTo: 4,
      unanchoredSince: entry(5).at,
    });
  });

  test.each<[string, AuditEntry[], RegExp]>([
    [
      'replaced as a whole',
      range(1, 6).map((one) => ({ ...one, actor: 'token:bob' })),
      /^entry 3: it or an entry from 1 on was rewritten after 2026-11-23T10:05:00.000Z, when it was anchored/,
    ],
    [
      'rewritten between two anchors',
      [...range(1, 3), entry(4, 'token:bob'), entry(5)],
      /^entry 5: it or an entry from 4 on was rewritten after 2026-11-23T10:10/,
    ],
    [
      'rewritten in the only entry of an anchor',
      [...range(1, 5), entry(6, 'token:bob')],
      /^entry 6: it was rewritten after 2026-11-23T10:15/,
    ],
    [
      'without one entry in the middle',
      [entry(1), entry(3), ...range(4, 7)],
      /^entry 3: it or an entry from 1 on was rewritten/,
    ],
    [
      'shortened',
      range(1, 4),
      /^entries 5 to 6 were removed after 2026-11-23T10:15:00.000Z, when entry 6 was anchored$/,
    ],
    ['shortened by its last entry', range(1, 5), /^entry 6 was removed after/],
    ['emptied', [], /^entries 1 to 6 were removed after/],
  ])('%s', async (_name, forged, fault) => {
    await grow(1, 3);
    await grow(4, 5);
    await grow(6, 6);
    await replaceTrail(forged);
    expect(await check()).toMatchObject({ intact: false, fault: expect.stringMatching(fault) });
    // Anchoring the forged trail mends nothing: the honest anchors still stand.
    deps.advance(300_000);
    await anchorAudit(deps);
    expect(await check()).toMatchObject({ intact: false });
  });

  test('no record in the database keeps a rewriting from being found', async () => {
    await grow(1, 3);
    await replaceTrail(range(1, 3).map((one) => ({ ...one, actor: 'token:bob' })));
    const head = await findLastAnchor(functions);
    await database.db.query(
      'UPDATE audit_anchor SET hash = (SELECT hash FROM audit WHERE seq = 3), anchored_at = $1',
      [new Date(deps.now.getTime() + 9e9)],
    );
    expect(head?.seq).toBe(3);
    expect(await check()).toMatchObject({ intact: false });
  });

  test.each<[string, PayloadKind, TestKey | 'ours', unknown, RegExp]>([
    ['signed with another key', 'anchor', makeKey(), { v: 1, seq: 9, hash: 'a'.repeat(64) }, /not signed/],
    ['signed as a command', 'command', 'ours', { v: 1, seq: 9, hash: 'a'.repeat(64) }, /not signed/],
    ['of another form', 'anchor', 'ours', { v: 2, seq: 9 }, /not an anchor of a known form/],
  ])('an object that is %s is no anchor, and is told', async (_name, kind, key, content, fault) => {
    await grow(1, 3);
    const signer = keySigner(key === 'ours' ? deps.signingKey.privatePem : key.privatePem);
    const payload = Buffer.from(JSON.stringify({ ...(content as object), at: deps.now.toISOString() }));
    const text = JSON.stringify(await signDsse(kind, payload, [signer]));
    await bucket.file(`${ANCHOR_PREFIX}x.json`).save(text, { resumable: false });
    expect(await check()).toMatchObject({ intact: false, fault: expect.stringMatching(fault) });
  });

  test('anchors of the key before are believed while it is named', async () => {
    await grow(1, 3);
    const next = makeKey();
    const own = createTestDeps(
      functions,
      {
        openBucket: () => Promise.resolve(bucket),
        loadSigner: () => Promise.resolve(keySigner(next.privatePem)),
      },
      { SIGNING_PUBLIC_KEYS: `${next.publicPem}\n${deps.signingKey.publicPem}` },
    );
    own.now = new Date(deps.now.getTime() + 600_000);
    await functions.transaction((tx) => appendAudit(tx, entry(4)));
    expect(await anchorAudit(own)).toBe(4);
    const found = await readAnchors(bucket, own.config.get('SIGNING_PUBLIC_KEYS'));
    expect(await checkTrail(functions, found, own.now)).toMatchObject({
      intact: true,
      anchors: 2,
      anchoredUpTo: 4,
    });
  });
});

describe('an anchor', () => {
  test('is made when the head moved, at most once in five minutes, and anew after a day', async () => {
    expect(await anchorAudit(deps)).toBeNull();
    expect(await grow(1, 1)).toBe(1);
    await functions.transaction((tx) => appendAudit(tx, entry(2)));
    deps.advance(299_000);
    expect(await anchorAudit(deps)).toBeNull();
    deps.advance(1000);
    expect(await anchorAudit(deps)).toBe(2);
    deps.advance(3_600_000);
    expect(await anchorAudit(deps)).toBeNull();
    deps.advance(23 * 3_600_000);
    expect(await anchorAudit(deps)).toBe(2);
    expect(await names()).toEqual([
      `${ANCHOR_PREFIX}2026-11-23T10:05:00Z-000000000001.json`,
      `${ANCHOR_PREFIX}2026-11-23T10:10:00Z-000000000002.json`,
      `${ANCHOR_PREFIX}2026-11-24T10:10:00Z-000000000002.json`,
    ]);
  });

  test('stands once when two ask at once, and when the first was killed before it could note it', async () => {
    await functions.transaction((tx) => appendAudit(tx, entry(1)));
    await Promise.all([anchorAudit(deps), anchorAudit(deps)]);
    await database.db.query('TRUNCATE audit_anchor');
    deps.advance(60_000);
    expect(await anchorAudit(deps)).toBe(1);
    expect(await names()).toHaveLength(1);
    expect(await findLastAnchor(functions)).toMatchObject({ seq: 1, anchoredAt: deps.now });
    expect(await check()).toMatchObject({ intact: true, anchors: 1, unanchoredSince: null });
  });

  test('that comes late, behind a newer one, takes nothing back', async () => {
    await functions.transaction((tx) => appendAudit(tx, entry(1)));
    const [reached, released] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
    const openBucket = async () => {
      reached.resolve();
      await released.promise;
      return bucket;
    };
    const slow = anchorAudit({ ...deps, openBucket });
    await reached.promise;
    expect(await grow(2, 2)).toBe(2);
    released.resolve();
    expect(await slow).toBe(1);
    expect(await check()).toMatchObject({ intact: true, anchoredUpTo: 2 });
    deps.advance(300_000);
    expect(await anchorAudit(deps)).toBe(2);
    expect(await check()).toMatchObject({ intact: true, anchoredUpTo: 2 });
  });

  test('can be neither replaced nor deleted while the bucket keeps it', async () => {
    await grow(1, 1);
    const file = bucket.file((await names())[0] ?? '');
    await expect(file.save('{}', { resumable: false })).rejects.toMatchObject({ code: 403 });
    await expect(file.delete()).rejects.toMatchObject({ code: 403 });
  });

  test('that the bucket does not take is an error that may pass, and is made later', async () => {
    await functions.transaction((tx) => appendAudit(tx, entry(1)));
    const gone = { ...deps, openBucket: () => Promise.resolve(storage.bucket('no-such-bucket')) };
    await expect(anchorAudit(gone)).rejects.toMatchObject({ code: 'unavailable', retryable: true });
    expect(await findLastAnchor(functions)).toBeUndefined();
    expect(await anchorAudit(deps)).toBe(1);
  });

  test('is named by its time first and its entry second', () => {
    const at = (time: string, seq: number) => anchorObject({ at: time, seq } satisfies Partial<AuditAnchor>);
    const inOrder = [
      at('2026-11-23T10:04:59.999Z', 100),
      at('2026-11-23T10:05:00.000Z', 9),
      at('2026-11-23T10:09:00.000Z', 10),
      at('2026-12-01T00:00:00.000Z', 2),
    ];
    expect(inOrder.toSorted()).toEqual(inOrder);
  });
});
