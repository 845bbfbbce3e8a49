import { readdirSync, readFileSync, readlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { Decrypter } from 'age-encryption';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { SOURCE_FD } from '#agent/backup-unpack/protocol.ts';
import { checkPart } from '#functions/backup/check-part.ts';
import { BackupManifest, backupObject, partFile } from '#shared/backup/manifest.ts';
import { BackupSummary } from '#shared/operations/backup.ts';
import { DsseEnvelope, openDsse } from '#shared/signing/dsse.ts';
import { AWKWARD_ROWS, createAwkwardDatabase } from '#test/fixtures/awkward-database.ts';
import { canLab, type HostLab, openHostLab } from '#test/fixtures/host-lab.ts';
import { findOwnProcess } from '#test/fixtures/own-processes.ts';
import { PATIENCE_MS } from '#test/fixtures/patience.ts';

const BIG_ROWS = 250_000;
const BACKUP = { database: 'awkward', localRetentionDays: 30 };

/** On a machine that has much else to do. */
const SLOW_MS = 300_000;

describe.skipIf(!canLab)('backup.run and restore.run (need root on Linux)', { timeout: SLOW_MS }, () => {
  let lab: HostLab;

  beforeAll(async () => {
    lab = await openHostLab(['awkward', 'big', 'missing']);
    await lab.cluster.query('postgres', 'CREATE DATABASE big');
    await lab.cluster.query(
      'big',
      `CREATE TABLE filler AS SELECT g AS id, repeat(md5(g::text), 12) AS body FROM generate_series(1, ${BIG_ROWS}) g`,
    );
    await createAwkwardDatabase(lab.cluster, 'awkward');
  });
  afterAll(async () => {
    await lab?.close();
  });

  async function objects(): Promise<string[]> {
    return (await lab.bucket.getFiles())[0].map(({ name }) => name);
  }

  async function backUp(): Promise<BackupSummary> {
    const ending = await lab.start('backup.run', BACKUP).ended();
    expect(ending, JSON.stringify(ending)).toMatchObject({ state: 'succeeded' });
    return BackupSummary.parse(ending.result);
  }

  async function readManifest({ backupId }: BackupSummary): Promise<BackupManifest> {
    const [text] = await lab.bucket.file(backupObject('web-1', backupId, 'manifest.json')).download();
    expect(readFileSync(join(lab.localDir, backupId, 'manifest.json'), 'utf8')).toBe(text.toString());
    const payload = openDsse('manifest', DsseEnvelope.parse(JSON.parse(text.toString())), [
      lab.runner.publicKey,
    ]);
    return BackupManifest.parse(JSON.parse(Buffer.from(payload!).toString()));
  }

  async function waitFor<T>(look: () => Promise<T | undefined> | T | undefined): Promise<T> {
    for (const end = Date.now() + PATIENCE_MS; Date.now() < end; ) {
      const found = await look();
      if (found !== undefined) return found;
      await sleep(5);
    }
    throw new Error('what was waited for did not come');
  }

  /** Our process of that program which was given such a word. */
  async function findProcess(program: string, mark: string): Promise<string> {
    const { pid } = await waitFor(() =>
      findOwnProcess(
        ({ words }) =>
          words[0]?.endsWith(`/${program}`) === true && words.some((word) => word.endsWith(mark)),
      ),
    );
    return String(pid);
  }

  async function killProcess(program: string, mark: string): Promise<void> {
    process.kill(Number(await findProcess(program, mark)), 'SIGKILL');
  }

  async function endSession(application: string): Promise<void> {
    await waitFor(async () => {
      const sql = `SELECT pg_terminate_backend(pid) AS done FROM pg_stat_activity WHERE application_name LIKE '${application}%' AND query LIKE 'COPY %'`;
      return (await lab.cluster.query('postgres', sql))[0]?.done === true ? true : undefined;
    });
  }

  test('a backup is whole on disk and in the bucket, and the cloud can prove it', async () => {
    const summary = await backUp();
    const manifest = await readManifest(summary);
    const counted = manifest.tables.map(({ schema, table, rows }) => [JSON.stringify([schema, table]), rows]);
    expect(Object.fromEntries(counted)).toEqual(AWKWARD_ROWS);
    expect(readdirSync(join(lab.localDir, summary.backupId)).toSorted()).toEqual([
      'config.tar.age',
      'database.dump.zst',
      'globals.sql.age',
      'manifest.json',
    ]);
    for (const part of manifest.parts) {
      expect((await checkPart(lab.bucket, manifest, part)).faults).toEqual([]);
      const local = readFileSync(join(lab.localDir, summary.backupId, partFile(part)));
      expect(local.equals((await lab.bucket.file(part.object).download())[0])).toBe(true);
    }
    const decrypter = new Decrypter();
    decrypter.addIdentity(lab.ageIdentity);
    const globals = readFileSync(join(lab.localDir, summary.backupId, 'globals.sql.age'));
    expect(await decrypter.decrypt(globals, 'text')).toContain('CREATE ROLE keeper;');
  });

  /** Stops a process once it can open nothing any more, so that it does not end during `look`. */
  async function whileSealed(pid: string, look: () => Promise<void> | void): Promise<void> {
    await waitFor(() =>
      /^Max open files +0 +0 /m.test(readFileSync(`/proc/${pid}/limits`, 'utf8')) ? true : undefined,
    );
    process.kill(Number(pid), 'SIGSTOP');
    try {
      expectSealed(pid);
      await look();
    } finally {
      process.kill(Number(pid), 'SIGCONT');
    }
  }

  /** Expects that the process is not root and holds only the pipes and the file that it was given. */
  function expectSealed(pid: string): void {
    expect(readFileSync(`/proc/${pid}/status`, 'utf8')).toMatch(/^Uid:\t[1-9]\d*\t/m);
    const [held, tcp] = [
      readdirSync(`/proc/${pid}/fd`).map((fd) => readlinkSync(`/proc/${pid}/fd/${fd}`)),
      ['tcp', 'tcp6', 'udp', 'udp6'].map((name) => readFileSync(`/proc/${pid}/net/${name}`, 'utf8')).join(''),
    ];
    const sockets = held.flatMap((name) => /^socket:\[(\d+)\]$/.exec(name)?.[1] ?? []);
    expect(sockets.filter((inode) => tcp.includes(` ${inode} `))).toEqual([]);
  }

  test('what packs and what decodes a dump can open nothing, a socket neither, and are not root; pg_restore has another account', async () => {
    const packed = lab.start('backup.run', { ...BACKUP, database: 'big' }).ended();
    await whileSealed(await findProcess('node', 'backup-pack.mjs'), () => undefined);
    const { backupId } = BackupSummary.parse((await packed).result);
    const ended = restore(backupId, { database: 'big', confirm: 'big' }).ended();
    const pid = await findProcess('node', 'backup-unpack.mjs');
    await whileSealed(pid, async () => {
      const restorer = await findProcess('pg_restore', '--no-owner');
      const uidOf = (of: string) => /^Uid:\t(\d+)/m.exec(readFileSync(`/proc/${of}/status`, 'utf8'))?.[1];
      expect(uidOf(pid)).not.toBe(uidOf(restorer));
      const flags = /^flags:\s+(\d+)$/m.exec(readFileSync(`/proc/${pid}/fdinfo/${SOURCE_FD}`, 'utf8'))?.[1];
      // The last two bits say whether the file is open for writing.
      expect(Number.parseInt(flags ?? '3', 8) & 3).toBe(0);
    });
    expect(await ended).toMatchObject({ state: 'succeeded', result: { rows: BIG_ROWS } });
  });

  const CHECKSUMS = `SELECT md5(string_agg(s::text, E'\\n' ORDER BY id)) AS scalars,
    (SELECT md5(string_agg(w::text, '' ORDER BY id)) FROM app.wide w) AS wide,
    (SELECT count(*) FROM pg_largeobject_metadata) AS objects,
    (SELECT last_value FROM app.counter) AS counter FROM app.scalars s`;

  async function databases(): Promise<string[]> {
    const rows = await lab.cluster.query(
      'postgres',
      'SELECT datname FROM pg_database WHERE NOT datistemplate',
    );
    return rows.map(({ datname }) => String(datname)).toSorted();
  }

  function restore(backupId: string, spec: Record<string, unknown> = {}) {
    const terms = { backupId, database: 'awkward', confirm: 'awkward', services: [], ...spec };
    return lab.start('restore.run', terms);
  }

  /** A backup whose tables belong to keeper. */
  let kept: string;

  test.each(['the local copy', 'the bucket'])('a restore from %s brings everything back', async (from) => {
    const { query } = lab.cluster;
    await query(
      'postgres',
      `ALTER DATABASE awkward SET search_path = '"$user"', 'app'; ALTER DATABASE awkward SET work_mem = '5MB';
      REVOKE ALL ON DATABASE awkward FROM PUBLIC; GRANT CONNECT ON DATABASE awkward TO keeper; ALTER DATABASE awkward OWNER TO keeper;
      COMMENT ON DATABASE awkward IS 'it''s awkward'; ALTER ROLE keeper IN DATABASE awkward SET app.mode = 'quiet';`,
    );
    const properties = `SELECT d.datacl::text, pg_get_userbyid(datdba) AS owner, shobj_description(d.oid, 'pg_database') AS comment,
      (SELECT array_agg(s.setrole::regrole::text || s.setconfig::text ORDER BY s.setrole) FROM pg_db_role_setting s WHERE s.setdatabase = d.oid) AS settings
      FROM pg_database d WHERE datname = 'awkward'`;
    const before = [await query('awkward', CHECKSUMS), await query('postgres', properties)];
    if (from === 'the local copy') kept = (await backUp()).backupId;
    const backupId = kept;
    if (from === 'the bucket') {
      const file = join(lab.localDir, backupId, 'database.dump.zst');
      const bytes = readFileSync(file);
      bytes[bytes.length >> 1]! ^= 1;
      writeFileSync(file, bytes);
    }
    await query('awkward', 'DROP TABLE app.scalars CASCADE; DELETE FROM app.wide');
    const existing = await databases();
    const run = restore(backupId);
    const ending = await run.ended();
    expect(ending, JSON.stringify(ending)).toMatchObject({
      state: 'succeeded',
      result: { backupId, tables: 12, rows: 2092, keptAs: `awkward_before_${run.commandId.slice(-6)}` },
    });
    expect(ending.steps.map(({ name, outcome }) => `${name} ${outcome}`)).toEqual(
      [
        'check-backup',
        'restore-roles',
        'create-database',
        'stop-services',
        'restore-database',
        'check-rows',
        'hand-over',
        'swap',
        'start-services',
        'clean-up',
      ].map((name) => `${name} done`),
    );
    expect(ending.steps[0]?.detail).toBe(`from ${from}`);
    expect([await query('awkward', CHECKSUMS), await query('postgres', properties)]).toEqual(before);
    expect(await databases()).toEqual([...existing, `awkward_before_${run.commandId.slice(-6)}`].toSorted());
    expect(readdirSync(lab.localDir).filter((name) => name.startsWith('.'))).toEqual([]);
  });

  describe('a backup that goes wrong leaves nothing that counts', () => {
    async function fails(spec = BACKUP, policy = lab.policy): Promise<string> {
      const [onDisk, inBucket] = [readdirSync(lab.localDir), await objects()];
      const ending = await lab.start('backup.run', spec, policy).ended();
      expect(ending.state).toBe('failed');
      expect(readdirSync(lab.localDir)).toEqual(onDisk);
      expect((await objects()).filter((name) => !inBucket.includes(name) && !name.endsWith('.age'))).toEqual(
        [],
      );
      return ending.message ?? '';
    }

    test('a database that does not exist', async () => {
      expect(await fails({ ...BACKUP, database: 'missing' })).toMatch(
        /read properties of missing: the database does not exist/,
      );
    });

    test.each<[string, () => Promise<unknown>, RegExp]>([
      [
        'pg_dump that is killed',
        () => killProcess('pg_dump', "--dbname=dbname='big'"),
        /run pg_dump: ended by a signal/,
      ],
      [
        'pg_dump that loses its session',
        () => endSession('lamplighter-backup'),
        /run pg_dump: exit 1: .*table "filler" failed/s,
      ],
      [
        'a packer that is killed',
        () => killProcess('node', 'backup-pack.mjs'),
        /backup-pack: ended by a signal/,
      ],
    ])('%s', async (_name, harm, fault) => {
      const harmed = harm();
      expect(await fails({ ...BACKUP, database: 'big' })).toMatch(fault);
      await harmed;
    });
  });

  test('a bucket that refuses leaves the local copy, which can be restored', async () => {
    const inBucket = await objects();
    const policy = { ...lab.policy, backup: { ...lab.policy.backup!, bucket: 'no-such-bucket' } };
    const ending = await lab.start('backup.run', BACKUP, policy).ended();
    expect(ending).toMatchObject({
      state: 'failed',
      code: 'not-uploaded',
      message: expect.stringMatching(/^upload backup .*store hosts\/web-1\/.*HTTP 404: .(?!.*put back)/s),
      hint: expect.stringMatching(/is whole.*goes on trying/),
    });
    expect(await objects()).toEqual(inBucket);
    const left = readdirSync(lab.localDir).findLast((name) => !name.startsWith('.'));
    expect(readdirSync(join(lab.localDir, left!))).toContain('not-uploaded');
    expect(await restore(left!).ended()).toMatchObject({ state: 'succeeded' });
  });

  test('a setting that a role left unquoted is only ever a name', async () => {
    const { query } = lab.cluster;
    const hostile = 'app, "Mixed", public;ALTER/**/ROLE/**/keeper/**/SUPERUSER;--';
    await query(
      'awkward',
      `SELECT set_config('search_path', '${hostile}', false); ALTER ROLE keeper IN DATABASE awkward SET search_path FROM CURRENT;`,
    );
    const { backupId } = await backUp();
    expect(await restore(backupId).ended()).toMatchObject({ state: 'succeeded' });
    expect(await query('postgres', "SELECT rolsuper FROM pg_roles WHERE rolname = 'keeper'")).toEqual([
      { rolsuper: false },
    ]);
    const settings = `SELECT setconfig FROM pg_db_role_setting s JOIN pg_database d ON d.oid = s.setdatabase
      WHERE d.datname = 'awkward' AND setrole = 'keeper'::regrole`;
    expect(await query('postgres', settings)).toEqual([
      {
        setconfig: expect.arrayContaining([
          'search_path=app, "Mixed", "public;ALTER/**/ROLE/**/keeper/**/SUPERUSER;--"',
        ]),
      },
    ]);
    // The kept databases still belong to the role, which the next test drops.
    const kept = (await databases()).filter((name) => name.startsWith('awkward_before_'));
    for (const name of kept) await query('postgres', `DROP DATABASE "${name}"`);
  });

  test('a restore that goes wrong puts everything back', async () => {
    const { query } = lab.cluster;
    const before = [await query('awkward', CHECKSUMS), await databases()];
    await query('awkward', 'CREATE TABLE app.later (id integer)');
    // The role that owns a table is gone from the cluster. The restore sees this before it stops anything.
    await query('awkward', 'REASSIGN OWNED BY keeper TO postgres; DROP OWNED BY keeper; DROP ROLE keeper');
    const ending = await restore(kept).ended();
    expect(ending).toMatchObject({ state: 'failed', code: 'step-failed' });
    expect(ending.message).toMatch(/role "keeper" does not exist.*everything was put back/s);
    expect([await query('awkward', CHECKSUMS), await databases()]).toEqual(before);
    await query('awkward', 'DROP TABLE app.later; CREATE ROLE keeper');
  });

  test.each<[string, Record<string, unknown>, Record<string, unknown>]>([
    ['another name was typed', { confirm: 'other' }, { code: 'confirmation-missing' }],
    ['there is no such backup', { backupId: '20200101T000000Z-abcdef' }, { code: 'backup-not-found' }],
  ])('a restore is refused before anything is touched: %s', async (_name, spec, outcome) => {
    const before = await databases();
    expect(await restore('20200101T000000Z-abcdef', spec).ended()).toMatchObject({
      state: 'failed',
      ...outcome,
    });
    expect(await databases()).toEqual(before);
  });
});
