import { spawn } from 'node:child_process';
import { once } from 'node:events';
import {
  chmodSync,
  closeSync,
  openSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { zstdDecompressSync } from 'node:zlib';
import { Decrypter, generateIdentity } from 'age-encryption';
import { afterAll, beforeAll, beforeEach, describe, expect, inject, test } from 'vitest';
import { EXIT_NO_ROOM } from '#agent/backup-pack/protocol.ts';
import { recipientFingerprint } from '#agent/host/age-identity.ts';
import { checkPart } from '#functions/backup/check-part.ts';
import { BackupManifest, backupObject } from '#shared/backup/manifest.ts';
import { BackupSummary } from '#shared/operations/backup.ts';
import type { Policy } from '#shared/policy/policy.ts';
import { DsseEnvelope, openDsse } from '#shared/signing/dsse.ts';
import { canLab, type HostLab, openHostLab } from '#test/fixtures/host-lab.ts';
import { findOwnProcess } from '#test/fixtures/own-processes.ts';

const DUMP = 'database.dump.zst.age';
const SECRET = 'a row that nobody may read';
/** On a machine that has much else to do. */
const SLOW_MS = 300_000;

describe.skipIf(!canLab)('a dump that is encrypted (needs root on Linux)', { timeout: SLOW_MS }, () => {
  let lab: HostLab;
  let identityFile: string;
  let policy: Policy;
  let summary: BackupSummary;

  beforeAll(async () => {
    lab = await openHostLab(['shop']);
    // Enough that does not compress for decrypting to take a while.
    await lab.cluster.query('postgres', 'CREATE DATABASE shop');
    await lab.cluster.query(
      'shop',
      `CREATE TABLE notes AS SELECT '${SECRET}'::text AS body;
       CREATE TABLE noise AS SELECT decode(string_agg(md5(random()::text), ''), 'hex') AS body
         FROM generate_series(1, 600000) g GROUP BY g % 5000`,
    );
    identityFile = join(lab.localDir, '..', 'identity.txt');
    policy = { ...lab.policy, backup: { ...lab.policy.backup!, identityFile } };
    summary = await backUp();
  });
  beforeEach(() => putIdentity(lab.ageIdentity));
  afterAll(async () => {
    await lab?.close();
  });

  function putIdentity(text: string, mode = 0o600): void {
    rmSync(identityFile, { force: true });
    writeFileSync(identityFile, text, { mode });
    chmodSync(identityFile, mode);
  }

  async function backUp(spec: object = { encryptDump: true }, terms = policy): Promise<BackupSummary> {
    const order = { database: 'shop', localRetentionDays: 30, ...spec };
    const ending = await lab.start('backup.run', order, terms).ended();
    expect(ending, JSON.stringify(ending)).toMatchObject({ state: 'succeeded' });
    return BackupSummary.parse(ending.result);
  }

  async function readManifest(backupId: string): Promise<BackupManifest> {
    const [text] = await lab.bucket.file(backupObject('web-1', backupId, 'manifest.json')).download();
    const payload = openDsse('manifest', DsseEnvelope.parse(JSON.parse(text.toString())), [
      lab.runner.publicKey,
    ]);
    return BackupManifest.parse(JSON.parse(Buffer.from(payload!).toString()));
  }

  function restore(backupId: string, terms = policy) {
    const spec = { backupId, database: 'shop', confirm: 'shop', services: [] };
    return lab.start('restore.run', spec, terms);
  }

  function flip(bytes: Buffer): Buffer {
    bytes[bytes.length >> 1]! ^= 1;
    return bytes;
  }

  async function databases(): Promise<unknown[]> {
    return await lab.cluster.query('postgres', 'SELECT datname FROM pg_database ORDER BY datname');
  }

  /** Nothing decrypted or fetched stays behind. */
  function expectNoRemains(): void {
    expect(readdirSync(lab.localDir).filter((name) => name.startsWith('.'))).toEqual([]);
  }

  test('neither the disk nor the bucket has a word of it in clear, and the cloud proves its bytes', async () => {
    const { backupId, isEncrypted, rows } = summary;
    expect({ isEncrypted, rows }).toEqual({ isEncrypted: true, rows: 5001 });
    const files = ['config.tar.age', DUMP, 'globals.sql.age', 'manifest.json'];
    expect(readdirSync(join(lab.localDir, backupId)).toSorted()).toEqual(files);
    const manifest = await readManifest(backupId);
    const part = manifest.parts.find(({ name }) => name === 'database')!;
    expect(part.encryption?.recipients).toEqual([recipientFingerprint(lab.policy.backup!.recipients[0]!)]);
    expect((await checkPart(lab.bucket, manifest, part)).faults).toEqual([]);
    const [stored] = await lab.bucket.file(part.object).download();
    expect(stored.equals(readFileSync(join(lab.localDir, backupId, DUMP)))).toBe(true);
    const decrypter = new Decrypter();
    decrypter.addIdentity(lab.ageIdentity);
    const plain = Buffer.from(await decrypter.decrypt(stored));
    expect(plain).toHaveLength(part.encryption!.plainBytes);
    const content = zstdDecompressSync(plain);
    expect(content).toHaveLength(part.contentBytes);
    expect(content.includes(SECRET)).toBe(true);
  });

  test('what the policy insists on is encrypted, whatever the command says', async () => {
    const strict = { ...policy, backup: { ...policy.backup!, mustEncryptDump: true } };
    const { backupId } = await backUp({}, strict);
    expect(readdirSync(join(lab.localDir, backupId))).toContain(DUMP);
  });

  test('with the identity, a restore from the bucket works', async () => {
    const { backupId } = summary;
    const file = join(lab.localDir, backupId, DUMP);
    const whole = readFileSync(file);
    writeFileSync(file, flip(readFileSync(file)));
    await restores('the bucket');
    writeFileSync(file, whole);
  });

  test('so does one from the local copy; what decrypts can open nothing, a socket neither, and never has the identity', async () => {
    const restored = restores('the local copy');
    let seen: { limits: string; status: string; words: string } | undefined;
    while (!seen?.limits.match(/^Max open files +0 +0 /m)) {
      seen = lookAtOpener() ?? seen;
      await sleep(5);
    }
    expect(seen?.limits).toMatch(/^Max open files +0 +0 /m);
    expect(seen?.status).toMatch(/^Uid:\t[1-9]\d*\t/m);
    expect(seen?.words).not.toContain('AGE-SECRET-KEY');
    await restored;
  });

  async function restores(from: string): Promise<void> {
    await lab.cluster.query('shop', 'DROP TABLE notes');
    const ending = await restore(summary.backupId).ended();
    expect(ending, JSON.stringify(ending)).toMatchObject({ state: 'succeeded', result: { rows: 5001 } });
    expect(ending.steps[0]?.detail).toBe(`from ${from}`);
    expect(await lab.cluster.query('shop', 'SELECT body FROM notes')).toEqual([{ body: SECRET }]);
    expectNoRemains();
  }

  function lookAtOpener(): { limits: string; status: string; words: string } | undefined {
    let seen: ReturnType<typeof lookAtOpener>;
    findOwnProcess(({ words, read }) => {
      if (!words.some((word) => word.endsWith('backup-open.mjs'))) return false;
      seen = {
        limits: read('limits'),
        status: read('status'),
        words: words.join(' ') + read('environ'),
      };
      return true;
    });
    return seen;
  }

  test('a dump that would grow beyond its room ends the packing, encrypted too', async () => {
    const dir = join(lab.localDir, '..');
    const dump = await lab.cluster.run('pg_dump', ['-Fc', '-Z0', 'shop']);
    const file = openSync(join(dir, 'packed'), 'w');
    const [recipient = ''] = lab.policy.backup!.recipients;
    const args = [
      join(inject('agentDir'), 'lib/backup-pack.mjs'),
      '--max-bytes',
      '100000',
      '--recipient',
      recipient,
    ];
    const child = spawn(process.execPath, args, { stdio: ['pipe', 'ignore', 'ignore', file, 'pipe'] });
    child.stdin?.on('error', () => undefined);
    child.stdin?.end(dump);
    const [code] = (await once(child, 'exit')) as [number];
    closeSync(file);
    expect(code).toBe(EXIT_NO_ROOM);
    expect(statSync(join(dir, 'packed')).size).toBeLessThanOrEqual(100_000);
  });

  describe('without an identity that opens it nothing is touched', () => {
    const table: [string, () => Promise<void> | void, RegExp, RegExp][] = [
      ['there is none', () => rmSync(identityFile), /there is no such file/, /install -m 0600 -o root KEY/],
      [
        'it is of somebody else',
        async () => putIdentity(await generateIdentity()),
        /encrypted to [0-9a-f]{16}, and this is an identity of [0-9a-f]{16}/,
        /age-keygen -y KEY/,
      ],
      [
        'others can read it',
        () => putIdentity(lab.ageIdentity, 0o644),
        /others than root can read/,
        /chmod 0600/,
      ],
      [
        'it is something else',
        () => putIdentity('hunter2-not-a-key'),
        /no age identity/,
        /AGE-SECRET-KEY-1…/,
      ],
    ];
    test.each(table)('%s', async (_name, bend, why, hint) => {
      await bend();
      const { backupId } = summary;
      const before = await databases();
      const ending = await restore(backupId).ended();
      expect(ending).toMatchObject({ state: 'failed', code: 'no-identity' });
      expect(ending.message).toMatch(why);
      expect(ending.hint).toMatch(hint);
      expect(ending.steps.map(({ name }) => name)).toEqual(['check-backup']);
      expect(JSON.stringify(ending)).not.toMatch(/AGE-SECRET-KEY-1[0-9A-Z]|hunter2/);
      expect(await databases()).toEqual(before);
      expectNoRemains();
    });

    test('a byte is flipped on the disk and in the bucket', async () => {
      const { backupId } = summary;
      const [file, object] = [
        join(lab.localDir, backupId, DUMP),
        lab.bucket.file(backupObject('web-1', backupId, DUMP)),
      ];
      const bent = flip((await object.download())[0]);
      writeFileSync(file, bent);
      await object.save(bent, { resumable: false });
      const before = await databases();
      const ending = await restore(backupId).ended();
      expect(ending).toMatchObject({ state: 'failed', code: 'corrupt-backup' });
      expect(await databases()).toEqual(before);
      expectNoRemains();
    });
  });
});
