// A backup that the bucket could not take is uploaded later, by the host itself and without another backup.
import {
  chmodSync,
  chownSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import { markNotUploaded } from '#agent/operations/backup/upload-mark.ts';
import { checkPart } from '#functions/backup/check-part.ts';
import { type GcsServer, startGcs } from '#local/cloud/gcs/server.ts';
import { BackupManifest } from '#shared/backup/manifest.ts';
import { DsseEnvelope, openDsse } from '#shared/signing/dsse.ts';
import { canLab, type HostLab, openHostLab } from '#test/fixtures/host-lab.ts';

const BACKUP = { database: 'shop', localRetentionDays: 30 };
/** On a machine that has much else to do. */
const SLOW_MS = 300_000;

describe.skipIf(!canLab)('a bucket that is away (needs root on Linux)', { timeout: SLOW_MS }, () => {
  let lab: HostLab;
  let again: GcsServer | undefined;
  let left: string;
  let linked: string;

  beforeAll(async () => {
    lab = await openHostLab(['shop']);
    await lab.cluster.query('postgres', 'CREATE DATABASE shop');
    await lab.cluster.query('shop', 'CREATE TABLE orders AS SELECT g AS id FROM generate_series(1, 100) g');
  });
  afterAll(async () => {
    await lab?.close();
    await again?.close();
  });

  function mark(): string {
    return join(lab.localDir, left, 'not-uploaded');
  }

  /** Moves its last failure so many minutes back. */
  function age(minutes: number): void {
    const { failures } = JSON.parse(readFileSync(mark(), 'utf8')) as { failures: number };
    writeFileSync(mark(), JSON.stringify({ failures, failedAtMs: Date.now() - minutes * 60_000 }));
  }

  /** Backs up with a configuration path that goes through a link of the application's. */
  async function backUpBehindLink() {
    // Not in /tmp, where anybody may make a link, nor in /run, which some containers have like it.
    const root = mkdtempSync('/var/lamplighter-config-');
    onTestFinished(() => rmSync(root, { recursive: true }));
    chmodSync(root, 0o755);
    mkdirSync(join(root, 'app'));
    chownSync(join(root, 'app'), 12_345, 12_345);
    symlinkSync('/etc', join(root, 'app', 'current'));
    linked = join(root, 'app', 'current', 'hostname');
    const backup = { ...lab.policy.backup!, configPaths: [linked] };
    return await lab.start('backup.run', BACKUP, { ...lab.policy, backup }).ended();
  }

  async function objects(): Promise<string[]> {
    return (await lab.bucket.getFiles())[0].map(({ name }) => name.slice(dirname(name).length + 1));
  }

  test('the backup stands on the disk, and its end says that the host goes on trying', async () => {
    await lab.gcs.close();
    const ending = await lab.start('backup.run', BACKUP).ended();
    expect(ending).toMatchObject({
      state: 'failed',
      code: 'not-uploaded',
      hint: expect.stringMatching(/is whole.*goes on trying/),
      result: { database: 'shop', rows: 100 },
    });
    left = readdirSync(lab.localDir)[0] ?? '';
    expect(JSON.parse(readFileSync(mark(), 'utf8'))).toMatchObject({ failures: 1 });
  });

  test('the timer tries again when its pause is over, only what the policy allows, and then the cloud can prove it', async () => {
    const told: string[] = [];
    again = await startGcs({
      host: '127.0.0.1',
      port: Number(new URL(lab.gcs.url).port),
      dataDir: join(dirname(lab.localDir), 'gcs'),
      notify: async ({ attributes }) => void told.push(attributes.objectId ?? ''),
    });
    expect(await lab.uploadDue()).toBe('');
    expect(await objects()).toEqual([]);
    age(11);
    const { socketDir, port } = lab.cluster;
    const databases = { shop: { socketDir, port, allow: ['restore' as const] } };
    const mustEncrypt = { ...lab.policy, backup: { ...lab.policy.backup!, mustEncryptDump: true } };
    expect(await lab.uploadDue({ ...lab.policy, databases })).toMatch(
      /kept back.*not allow backup of database shop/,
    );
    expect(await lab.uploadDue(mustEncrypt)).toMatch(/kept back.*dump is not encrypted/);
    expect(await objects()).toEqual([]);
    // The next backup does not upload it either: that would take its lock and its time.
    const ending = await backUpBehindLink();
    expect(ending).toMatchObject({ state: 'succeeded', result: { leftOut: [linked] } });
    expect((await objects()).filter((name) => name === 'manifest.json')).toHaveLength(1);
    expect(JSON.parse(readFileSync(mark(), 'utf8'))).toMatchObject({ failures: 1 });
    await lab.bucket.deleteFiles();
    told.length = 0;
    expect(await lab.uploadDue()).toContain(left);
    const [manifestFile, ...parts] = (await lab.bucket.getFiles())[0].toReversed();
    const payload = openDsse(
      'manifest',
      DsseEnvelope.parse(JSON.parse(String((await manifestFile!.download())[0]))),
      [lab.runner.publicKey],
    );
    const manifest = BackupManifest.parse(JSON.parse(Buffer.from(payload!).toString()));
    expect(parts).toHaveLength(manifest.parts.length);
    for (const part of manifest.parts)
      expect((await checkPart(lab.bucket, manifest, part)).faults).toEqual([]);
    // The manifest's event is last: it makes `verify-object` order the proof.
    expect(told.at(-1)).toBe(manifestFile!.name);
    expect(readdirSync(join(lab.localDir, left))).not.toContain('not-uploaded');
  });

  test('killed before it could note that all is uploaded, it does no harm the next time', async () => {
    const before = (await lab.bucket.getFiles())[0].map(({ metadata }) => metadata.generation);
    markNotUploaded(join(lab.localDir, left));
    expect(await lab.uploadDue()).toContain(left);
    expect(readdirSync(join(lab.localDir, left))).not.toContain('not-uploaded');
    expect((await lab.bucket.getFiles())[0].map(({ metadata }) => metadata.generation)).toEqual(before);
  });
});
