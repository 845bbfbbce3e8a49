import { randomBytes } from 'node:crypto';
import type { Bucket } from '@google-cloud/storage';
import { describe, expect, test } from 'vitest';
import { recordBackup } from '#functions/backup/record.ts';
import { verifyAgain } from '#functions/backup/request.ts';
import { verifyBackup } from '#functions/backup/verify.ts';
import { latestBackupView } from '#functions/backup/view.ts';
import { listProvenObjects } from '#functions/store/backup-parts.ts';
import { latestProvenBackup } from '#functions/store/backups.ts';
import { enrolHost } from '#functions/store/hosts.ts';
import type { BackupManifest } from '#shared/backup/manifest.ts';
import { keyIdOf } from '#shared/signing/dsse.ts';
import { makeKey } from '#test/fixtures/deps.ts';
import {
  type BackupPlan,
  LOCAL_MANIFEST,
  makeDump,
  signManifest,
  storeBackup,
  TABLES,
} from '#test/fixtures/stored-backup.ts';
import { HOST, useBackupWorld } from './world.ts';

const world = useBackupWorld();

test('a good backup is proven, and counts as the newest verified one', async () => {
  await storeBackup(world.bucket, world.plan);
  expect(await world.verify()).toBe('verified');
  expect(await latestBackupView(world.deps.db)).toMatchObject({
    id: world.id,
    rows: 1503,
    tables: 3,
    proof: {
      state: 'verified',
      at: world.deps.now.toISOString(),
      faults: [],
      notProven: [
        expect.stringContaining('not restored'),
        expect.stringMatching(/globals\.sql\.age.*config\.tar\.age/),
      ],
    },
  });
  expect((await latestProvenBackup(world.deps.db, HOST, 'verified'))?.finishedAt).toEqual(
    new Date('2026-11-23T09:59:00Z'),
  );
  expect(await world.audited()).toEqual(['backup.verified']);
  expect(await world.alerts()).toEqual([]);
});

test('a message that comes again proves nothing twice; a request does', async () => {
  await storeBackup(world.bucket, world.plan);
  await world.verify();
  expect(await world.verify()).toBe('proven before');
  await verifyAgain(world.deps, { host: HOST, id: world.id });
  await verifyAgain(world.deps, { host: HOST, id: world.id });
  expect(await world.verify()).toBe('verified');
  expect(await world.verify()).toBe('proven before');
  expect(await world.audited()).toEqual(['backup.verified', 'backup.verified']);
});

test('a backup whose dump is encrypted is intact, which is less than verified, and does not count as that', async () => {
  await storeBackup(world.bucket, { ...world.plan, isEncrypted: true });
  expect(await world.verify()).toBe('intact');
  const view = await latestBackupView(world.deps.db);
  expect(view?.proof).toMatchObject({ state: 'intact', faults: [] });
  expect(view?.proof.notProven?.join()).toMatch(/^what an encrypted dump holds.*globals\.sql\.age/);
  const { db } = world.deps;
  expect(await latestProvenBackup(db, HOST, 'verified')).toBeUndefined();
  expect(await latestProvenBackup(db, HOST, 'intact')).toMatchObject({ id: world.id, proofState: 'intact' });
  expect(await world.audited()).toEqual(['backup.intact']);
  expect(await world.alerts()).toEqual([]);
  // The daily round sees when one of its objects is replaced.
  const proven = await listProvenObjects(db, { now: world.deps.now, since: new Date(0) });
  expect(proven.map(({ object }) => object)).toContain(
    `hosts/${HOST}/backups/${world.id}/database.dump.zst.age`,
  );
});

async function bytesOf(file: string): Promise<Buffer> {
  return (await world.object(file).download())[0];
}

type Bend = () => Promise<unknown>;
const flip =
  (file: string, at: (length: number) => number): Bend =>
  async () => {
    const bytes = await bytesOf(file);
    bytes[at(bytes.length)]! ^= 1;
    await world.object(file).save(bytes, { resumable: false });
  };
const cut =
  (file: string, at: (length: number) => number): Bend =>
  async () => {
    const bytes = await bytesOf(file);
    await world.object(file).save(bytes.subarray(0, at(bytes.length)), { resumable: false });
  };
const replace =
  (file: string, make: () => Promise<Buffer | string>): Bend =>
  async () => {
    await world.object(file).save(await make(), { resumable: false });
  };
const DUMP = 'database.dump.zst';
const SEALED = `${DUMP}.age`;

describe('an encrypted dump that was bent is corrupt', () => {
  const noAge = (): Bend => async () => {
    const bytes = await bytesOf(SEALED);
    await world.object(SEALED).save(bytes.fill('x', 0, 3), { resumable: false });
  };
  test.each<[string, Bend, RegExp]>([
    ['flipped in its header', flip(SEALED, () => 30), /database\.dump\.zst\.age: SHA-256 differs/],
    ['flipped in the middle', flip(SEALED, (n) => n >> 1), /database\.dump\.zst\.age: SHA-256 differs/],
    ['flipped at the end', flip(SEALED, (n) => n - 1), /database\.dump\.zst\.age: SHA-256 differs/],
    ['cut by one byte', cut(SEALED, (n) => n - 1), /database\.dump\.zst\.age: truncated/],
    ['no age file any more', noAge(), /database\.dump\.zst\.age: not an age-encrypted file/],
    ['gone', () => world.object(SEALED).delete(), /database\.dump\.zst\.age: not in the bucket/],
    ['the roles in its place', replace(SEALED, () => bytesOf('globals.sql.age')), /truncated/],
  ])('%s', async (_name, bend, fault) => {
    await storeBackup(world.bucket, { ...world.plan, isEncrypted: true });
    await bend();
    expect(await world.verify()).toBe('corrupt');
    expect((await latestBackupView(world.deps.db))?.proof.faults.join('\n')).toMatch(fault);
    expect(await latestProvenBackup(world.deps.db, HOST, 'intact')).toBeUndefined();
  });

  const bent = (change: (part: BackupManifest['parts'][number]) => void) => (manifest: BackupManifest) => {
    change(manifest.parts[0]!);
    return manifest;
  };
  test.each<[string, (manifest: BackupManifest) => unknown, RegExp]>([
    [
      'a dump that is called encrypted and says nothing of its encryption',
      bent((part) => delete part.encryption),
      /not a manifest of a form that this version of Lamplighter reads: parts\.0: /,
    ],
    [
      'a size inside that the file can not have',
      bent((part) => (part.encryption!.plainBytes += 1)),
      /the encrypted file has \d+ bytes, \d+ for/,
    ],
    [
      'an encrypted dump that is called one in clear',
      bent((part) => {
        part.encoding = 'pg_dump-custom+zstd';
        delete part.encryption;
      }),
      /the manifest names .*\.age, which is not of this backup/,
    ],
  ])('signed with %s', async (_name, changeManifest, fault) => {
    await storeBackup(world.bucket, { ...world.plan, isEncrypted: true, changeManifest });
    await recordBackup(world.deps, world.report());
    expect(await world.verify()).toBe('corrupt');
    expect((await latestBackupView(world.deps.db))?.proof.faults.join('\n')).toMatch(fault);
  });
});

describe('a backup that was bent after it was taken is corrupt, alerted and audited', () => {
  test.each<[string, Bend, RegExp]>([
    ['dump cut to one byte', cut(DUMP, () => 1), /^database\.dump\.zst: truncated: 1 of/],
    ['dump cut in the middle', cut(DUMP, (n) => n >> 1), /truncated/],
    ['dump cut by one byte', cut(DUMP, (n) => n - 1), /truncated/],
    ['dump empty', cut(DUMP, () => 0), /^database\.dump\.zst: empty$/],
    ['dump gone', () => world.object(DUMP).delete(), /^database\.dump\.zst: not in the bucket$/],
    ['dump flipped at the start', flip(DUMP, () => 0), /SHA-256 differs/],
    ['dump flipped in the middle', flip(DUMP, (n) => n >> 1), /SHA-256 differs/],
    ['dump flipped at the end', flip(DUMP, (n) => n - 1), /SHA-256 differs/],
    [
      'dump longer',
      async () => world.object(DUMP).save(Buffer.concat([await bytesOf(DUMP), Buffer.from('more')])),
      /4 bytes too many/,
    ],
    ['dump is the roles', replace(DUMP, () => bytesOf('globals.sql.age')), /database\.dump\.zst: truncated/],
    [
      'roles and configuration swapped',
      replace('globals.sql.age', () => bytesOf('config.tar.age')),
      /globals\.sql\.age: /,
    ],
    ['roles flipped', flip('globals.sql.age', (n) => n - 5), /globals\.sql\.age: SHA-256 differs/],
    [
      'configuration gone',
      () => world.object('config.tar.age').delete(),
      /config\.tar\.age: not in the bucket/,
    ],
    ['manifest gone', () => world.object('manifest.json').delete(), /^manifest\.json: not in the bucket$/],
    ['manifest empty', cut('manifest.json', () => 0), /^manifest\.json: empty$/],
    ['manifest cut', cut('manifest.json', (n) => n - 2), /not a signed document/],
    [
      'manifest flipped',
      flip('manifest.json', () => 200),
      /^manifest\.json: not (signed by the runner of web-1|a signed document)/,
    ],
    [
      'manifest without a signature',
      replace('manifest.json', async () => '{"v":1}'),
      /not a signed document/,
    ],
    [
      'manifest signed by a stranger',
      replace('manifest.json', () => signManifest({ v: 1 }, makeKey())),
      /not signed by/,
    ],
    [
      'manifest signed by the agent',
      replace('manifest.json', () => signManifest({ v: 1 }, world.keys.agent)),
      /not signed by/,
    ],
    [
      'manifest of something else',
      replace('manifest.json', () => signManifest({ v: 1 }, world.keys.runner)),
      /not a manifest/,
    ],
    [
      'manifest of another form',
      replace('manifest.json', () => signManifest({ ...LOCAL_MANIFEST, v: 2 }, world.keys.runner)),
      /^manifest\.json: not a manifest of a form that this version of Lamplighter reads: v: it must be 1$/,
    ],
  ])('%s', async (_name, bend, fault) => {
    await storeBackup(world.bucket, world.plan);
    await recordBackup(world.deps, world.report());
    await bend();
    expect(await world.verify()).toBe('corrupt');
    const view = await latestBackupView(world.deps.db);
    expect(view?.proof.state).toBe('corrupt');
    expect(view?.proof.faults.join('\n')).toMatch(fault);
    expect(await latestProvenBackup(world.deps.db, HOST, 'verified')).toBeUndefined();
    expect(await world.audited()).toEqual(['backup.corrupt']);
    expect(await world.alerts()).toEqual([
      { title: `backup ${world.id} is corrupt`, reason: view?.proof.faults[0] },
    ]);
  });
});

describe('a backup that its host took wrongly, and signed, is corrupt', () => {
  const changed =
    (change: (manifest: BackupManifest) => unknown): (() => Partial<BackupPlan>) =>
    () => ({ changeManifest: change });
  const withPart = (change: Partial<BackupManifest['parts'][number]>) =>
    changed((manifest) => ({
      ...manifest,
      parts: manifest.parts.map((part) => (part.name === 'database' ? { ...part, ...change } : part)),
    }));

  test.each<[string, () => Partial<BackupPlan>, RegExp]>([
    [
      'a dump cut by pg_dump',
      () => ({ dump: makeDump().subarray(0, -100) }),
      /decode dump at byte \d+: it ends/,
    ],
    ['a dump of something else', () => ({ dump: randomBytes(5000) }), /not a PostgreSQL custom-format dump/],
    [
      'rows lost',
      () => ({ dump: makeDump(TABLES.map((t) => ({ ...t, rows: Math.min(t.rows, 1499) }))) }),
      /table app\.engines: 1499 rows in the dump, 1500 counted/,
    ],
    ['a table lost', () => ({ dump: makeDump(TABLES.slice(1)) }), /table app\.engines: not in the dump/],
    [
      'a table more',
      () => ({ dump: makeDump([...TABLES, { schema: 'app', table: 'late', rows: 1 }]) }),
      /table app\.late: in the dump, not in the manifest/,
    ],
    ['another checksum', withPart({ crc32c: 'AAAAAA==' }), /CRC32C differs/],
    ['another content', withPart({ contentSha256: 'a'.repeat(64) }), /decoded content differs/],
    ['less content', withPart({ contentBytes: 1000 }), /decodes to more than its 1000 bytes/],
    ['another encoding', withPart({ encoding: 'sql+age' }), /encoded as sql\+age/],
    [
      'a part of another backup',
      withPart({ object: 'hosts/web-1/backups/x/database.dump.zst' }),
      /not of this backup/,
    ],
    [
      'no roles',
      changed((m) => ({ ...m, parts: m.parts.filter(({ name }) => name !== 'globals') })),
      /globals\.sql\.age: the manifest has no such part/,
    ],
    [
      'a part twice',
      changed((m) => ({ ...m, parts: [...m.parts, m.parts[0]] })),
      /names database\.dump\.zst twice/,
    ],
    [
      "another host's manifest",
      changed((m) => ({ ...m, host: 'web-2' })),
      /it is the manifest of backup .+ of web-2/,
    ],
    [
      "another backup's manifest",
      changed((m) => ({ ...m, backupId: '20200101T000000Z-abcdef' })),
      /manifest of backup 20200101/,
    ],
  ])('%s', async (_name, bend, fault) => {
    await recordBackup(world.deps, world.report());
    await storeBackup(world.bucket, { ...world.plan, ...bend() });
    expect(await world.verify()).toBe('corrupt');
    expect((await latestBackupView(world.deps.db))?.proof.faults.join('\n')).toMatch(fault);
  });
});

test('a manifest by a retired key holds when the bucket had it before, not after', async () => {
  await storeBackup(world.bucket, world.plan);
  const [{ timeCreated }] = await world.object('manifest.json').getMetadata();
  const retire = async (at: Date): Promise<void> => {
    const next = makeKey();
    const key = { role: 'runner' as const, keyId: keyIdOf(next.publicKey), pem: next.publicPem };
    await world.deps.db.query('UPDATE host_keys SET retired_at = NULL');
    await world.deps.db.transaction((tx) => enrolHost(tx, { host: HOST, keys: [key], at, by: 'test' }));
  };
  await retire(new Date(Date.parse(String(timeCreated)) + 1000));
  expect(await world.verify()).toBe('verified');
  await retire(new Date(Date.parse(String(timeCreated)) - 1000));
  await verifyAgain(world.deps, { host: HOST, id: world.id });
  expect(await world.verify()).toBe('corrupt');
});

test('a host that never enrolled, or never reported, has no backups: refused, and somebody is told', async () => {
  await world.object('manifest.json').save(await signManifest({ v: 1 }, makeKey()), { resumable: false });
  expect(await world.verify()).toMatch(/^refused/);
  expect(await latestBackupView(world.deps.db)).toBeNull();
  expect(await world.audited()).toEqual(['backup.refused']);
  expect(await world.alerts()).toHaveLength(1);
  // The host's report of the backup comes later: then it is a corrupt backup of that host.
  await recordBackup(world.deps, world.report());
  expect(await world.verify()).toBe('corrupt');
  expect(await world.alerts()).toHaveLength(1);
});

test('one that is cut short goes on with the part it was at, within the same round only', async () => {
  await storeBackup(world.bucket, world.plan);
  let reads = 0;
  const failing = Object.create(world.bucket) as Bucket;
  failing.file = (name, options) => {
    if (name.endsWith('config.tar.age')) throw new Error('connection reset');
    if (name.endsWith(DUMP)) reads += 1;
    return world.bucket.file(name, options);
  };
  const order = { host: HOST, backupId: world.id };
  await expect(verifyBackup({ ...world.deps, bucket: failing }, order)).rejects.toThrow(/connection reset/);
  await expect(verifyBackup({ ...world.deps, bucket: failing }, order)).rejects.toThrow(/connection reset/);
  // Looked up once and read once.
  expect(reads).toBe(2);
  expect((await latestBackupView(world.deps.db))?.proof.state).toBe('pending');
  expect(await world.verify()).toBe('verified');
  await verifyAgain(world.deps, { host: HOST, id: world.id });
  await expect(verifyBackup({ ...world.deps, bucket: failing }, order)).rejects.toThrow(/connection reset/);
  expect(reads).toBe(4);
});

test('begins no part when its time is up, and comes back for it', async () => {
  await storeBackup(world.bucket, world.plan);
  let calls = 0;
  const slow = {
    ...world.deps,
    clock: () => new Date(world.deps.now.getTime() + (calls++ > 4 ? 9 * 60_000 : 0)),
  };
  const outcomes: string[] = [];
  for (let i = 0; i < 5 && outcomes.at(-1) !== 'verified'; i++) {
    calls = 0;
    await verifyBackup(slow, { host: HOST, backupId: world.id }).then(
      (outcome) => outcomes.push(outcome),
      (error: Error) => outcomes.push(error.message.replace(world.id, '…')),
    );
  }
  expect(outcomes.length).toBeGreaterThan(1);
  expect(outcomes.slice(0, -1)).toEqual(expect.arrayContaining([expect.stringMatching(/goes on with/)]));
  expect(outcomes.at(-1)).toBe('verified');
});

test('two at once: one works, the other is sent away to come again', async () => {
  await storeBackup(world.bucket, world.plan);
  const outcomes = await Promise.allSettled([world.verify(), world.verify()]);
  const texts = outcomes.map((o) =>
    o.status === 'fulfilled' ? o.value : String((o.reason as Error).message),
  );
  expect(texts.filter((text) => text === 'verified')).toHaveLength(1);
  expect(texts.filter((text) => /is being verified|proven before/.test(text))).toHaveLength(1);
  expect(await world.audited()).toEqual(['backup.verified']);
});
