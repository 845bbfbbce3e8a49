// Backup, verification and restore on other versions of PostgreSQL than this machine's, with the client programs that the
// host itself chooses. The oldest and the newest stable version always, the others with `npm run test:long`.
import { execFile } from 'node:child_process';
import { existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { checkPart } from '#functions/backup/check-part.ts';
import { BackupManifest } from '#shared/backup/manifest.ts';
import { messageOf } from '#shared/errors.ts';
import { BackupSummary } from '#shared/operations/backup.ts';
import { DsseEnvelope } from '#shared/signing/dsse.ts';
import { canLab, type HostLab, type OtherPostgres, openHostLab } from '#test/fixtures/host-lab.ts';
import { isLong } from '#test/fixtures/long.ts';
import { fetchClients, fetchServer } from '#test/fixtures/postgres-versions.ts';
import { contentFor, createClause } from '#test/fixtures/versioned-database.ts';

/** On a machine that has much else to do. */
const SLOW_MS = 300_000;
/** This machine's own client programs, Debian's. */
const OWN = '/usr/lib/postgresql';

interface Row {
  server: number;
  /** Versions of client programs that the host has beside this machine's own. */
  others: number[];
  /** Version that the host must choose. */
  chosen: number;
  /** Run also without `--long`. */
  isUsual?: true;
}

const ROWS: readonly Row[] = [
  { server: 13, others: [17], chosen: 15, isUsual: true },
  { server: 14, others: [17], chosen: 15 },
  { server: 15, others: [17], chosen: 15 },
  { server: 17, others: [17], chosen: 17, isUsual: true },
  { server: 18, others: [17, 18], chosen: 18 },
];

/** Servers that are refused before anything is done, and why. */
const REFUSED: readonly [server: number, why: RegExp][] = [
  [12, /13 is the oldest version that is supported/],
  [16, /none of the installed client programs .*installed: 15, 17/],
];

/** The programs that a row needs, or a string that says why they are not available. */
async function prepare(server: number, others: readonly number[]): Promise<OtherPostgres | string> {
  if (!canLab || process.arch !== 'x64') return 'needs root on Linux, x64';
  try {
    const clients: string[] = [];
    for (const major of others) clients.push(await fetchClients(major));
    return { server: await fetchServer(server), clients: [...clients, OWN] };
  } catch (error) {
    return messageOf(error).split('\n')[0] ?? '';
  }
}

async function prepareAll<T extends { server: number; others: readonly number[] }>(rows: readonly T[]) {
  const prepared: (T & { postgres: OtherPostgres | string })[] = [];
  for (const row of rows) prepared.push({ ...row, postgres: await prepare(row.server, row.others) });
  return prepared;
}

const rows = await prepareAll(ROWS.filter((row) => isLong || row.isUsual));
const refused = await prepareAll(
  isLong ? REFUSED.map(([server, why]) => ({ server, why, others: [17] })) : [],
);

/** Since 17. A second is more than a session needs that turns the time-out off at once. */
const TIMEOUT_SINCE = 17;
const TIMEOUT = '1s';
/** ANALYZE evaluates it once a row, which takes longer than that. */
const SLOW_INDEX = `CREATE FUNCTION app.slow(integer) RETURNS integer LANGUAGE plpgsql IMMUTABLE AS
  'BEGIN PERFORM pg_sleep(0.06); RETURN $1; END'; ALTER FUNCTION app.slow OWNER TO clerk; CREATE INDEX ON app.people (app.slow(id));`;

for (const { server, chosen, postgres } of rows) {
  const why = typeof postgres === 'string' ? ` (skipped: ${postgres})` : '';
  describe.skipIf(typeof postgres === 'string')(`PostgreSQL ${server}${why}`, { timeout: SLOW_MS }, () => {
    const hasTimeout = server >= TIMEOUT_SINCE;
    let lab: HostLab;

    beforeAll(async () => {
      if (typeof postgres === 'string') return;
      const settings = hasTimeout ? { transaction_timeout: TIMEOUT } : {};
      lab = await openHostLab(['shop', 'other'], settings, postgres);
      const { query } = lab.cluster;
      await query('postgres', 'CREATE ROLE clerk; CREATE ROLE reader');
      await query('postgres', 'CREATE DATABASE other');
      await query('postgres', `CREATE DATABASE shop ${createClause(server)}`);
      const begin = hasTimeout ? 'SET transaction_timeout = 0;' : '';
      await query('shop', `${begin}${contentFor(server)}${hasTimeout ? SLOW_INDEX : ''}`);
      if (hasTimeout) await query('postgres', `ALTER DATABASE shop SET transaction_timeout = '${TIMEOUT}'`);
      await query(
        'postgres',
        'GRANT CREATE ON DATABASE shop TO clerk; ALTER DATABASE shop SET work_mem = 999',
      );
    }, SLOW_MS);
    afterAll(async () => {
      await lab?.close();
    });

    async function backUp(database: string): Promise<string> {
      const ending = await lab.start('backup.run', { database, localRetentionDays: 30 }).ended();
      expect(ending, JSON.stringify(ending)).toMatchObject({ state: 'succeeded' });
      return BackupSummary.parse(ending.result).backupId;
    }

    function readManifest(backupId: string): BackupManifest {
      const text = readFileSync(join(lab.localDir, backupId, 'manifest.json'), 'utf8');
      const { payload } = DsseEnvelope.parse(JSON.parse(text));
      return BackupManifest.parse(JSON.parse(Buffer.from(payload, 'base64').toString('utf8')));
    }

    /** The whole database as statements, under the name `shop`. */
    async function write(database: string): Promise<string[]> {
      const dirs = typeof postgres === 'string' ? [] : postgres.clients;
      const file = dirs.map((dir) => join(dir, `${chosen}/bin/pg_dump`)).find(existsSync) ?? '';
      const place = ['-h', '127.0.0.1', '-p', String(lab.cluster.port), '-U', 'postgres'];
      const args = [...place, '--create', database];
      const { stdout } = await promisify(execFile)(file, args, { maxBuffer: 64e6, cwd: '/' });
      const lines = stdout.replaceAll(database, 'shop').split('\n');
      return lines.filter((line) => !/^\\(?:un)?restrict /.test(line));
    }

    test(`is backed up with the programs of ${chosen}, proven, and restored as it was`, async () => {
      const backupId = await backUp('shop');
      const manifest = readManifest(backupId);
      expect(manifest.serverVersion).toMatch(new RegExp(`^${server}\\.`));
      expect(manifest.pgDumpVersion).toContain(`(PostgreSQL) ${chosen}.`);
      for (const part of manifest.parts) {
        expect((await checkPart(lab.bucket, manifest, part)).faults).toEqual([]);
      }
      const run = lab.start('restore.run', { backupId, database: 'shop', confirm: 'shop', services: [] });
      const ending = await run.ended();
      expect(ending, JSON.stringify(ending)).toMatchObject({
        state: 'succeeded',
        result: {
          refused: [],
          leftOut: ['the check of the rows by FK CONSTRAINT office.desks desks_id_fkey'],
        },
      });
      const notes = run.steps().filter(({ phase }) => phase === 'note');
      expect(notes.map(({ detail }) => detail)).toEqual([]);
      const before = await write(`shop_before_${run.commandId.slice(-6)}`);
      const desks = '    ADD CONSTRAINT desks_id_fkey FOREIGN KEY (id) REFERENCES app.people(id);';
      expect(before).toContain(desks);
      const unchecked = desks.replace(';', ' NOT VALID;');
      expect(await write('shop')).toEqual(before.map((line) => (line === desks ? unchecked : line)));
    });

    test('an extension that the server does not have any more is told before anything stops', async () => {
      const bin = typeof postgres === 'string' ? '' : postgres.server;
      const files = ['gone.control', 'gone--1.sql'].map((name) =>
        join(bin, '../share/postgresql/extension', name),
      );
      for (const file of files)
        writeFileSync(file, file.endsWith('.control') ? "default_version = '1'\n" : '');
      try {
        await lab.cluster.query('other', 'CREATE EXTENSION gone');
      } finally {
        for (const file of files) rmSync(file);
      }
      const backupId = await backUp('other');
      const spec = { backupId, database: 'other', confirm: 'other', services: [] };
      const ending = await lab.start('restore.run', spec).ended();
      expect(ending).toMatchObject({ state: 'failed', code: 'missing-extension' });
      expect(ending.hint).toContain(`postgresql-${server}`);
      expect(ending.steps.map(({ name }) => name)).toEqual(['check-backup']);
    });
  });
}

for (const { server, why, postgres } of refused) {
  const skipped = typeof postgres === 'string' ? ` (skipped: ${postgres})` : '';
  test.skipIf(typeof postgres === 'string')(
    `PostgreSQL ${server} is refused before anything is done${skipped}`,
    { timeout: SLOW_MS },
    async () => {
      if (typeof postgres === 'string') return;
      const lab = await openHostLab(['shop'], {}, postgres);
      try {
        await lab.cluster.query('postgres', 'CREATE DATABASE shop');
        const ending = await lab.start('backup.run', { database: 'shop', localRetentionDays: 30 }).ended();
        expect(ending.message).toMatch(why);
        expect(ending.hint).toMatch(/^(?:Upgrade|Install) /);
        expect(ending.steps.map(({ name }) => name)).toEqual(['prepare']);
      } finally {
        await lab.close();
      }
    },
  );
}
