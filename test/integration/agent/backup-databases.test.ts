// Databases that pg_dump can dump, and that a backup must be able to take: odd names, encodings, settings and indexes.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { checkPart } from '#functions/backup/check-part.ts';
import { BackupManifest } from '#shared/backup/manifest.ts';
import { BackupSummary } from '#shared/operations/backup.ts';
import { DsseEnvelope } from '#shared/signing/dsse.ts';
import { canLab, type HostLab, openHostLab } from '#test/fixtures/host-lab.ts';

const UNACCENT = `CREATE EXTENSION unaccent;
  CREATE FUNCTION f_unaccent(text) RETURNS text LANGUAGE sql IMMUTABLE AS $$ SELECT unaccent('unaccent', $1) $$;
  CREATE TABLE people (name text); CREATE INDEX ON people (f_unaccent(name));
  INSERT INTO people VALUES ('é'), ('è'), ('e');`;
const SETTINGS = [
  "client_encoding = 'LATIN1'",
  "statement_timeout = '1ms'",
  "lock_timeout = '1ms'",
  "idle_in_transaction_session_timeout = '1ms'",
  'role = nobody_much',
  'standard_conforming_strings = off',
  'quote_all_identifiers = on',
  "search_path = 'nowhere'",
];
/** Two names that differ in a byte which is not UTF-8. */
const RAW_NAMES = `DO $$BEGIN
  EXECUTE format('CREATE TABLE %I AS SELECT generate_series(1, 2) AS id', 'caf' || chr(233));
  EXECUTE format('CREATE TABLE %I AS SELECT generate_series(1, 5) AS id', 'caf' || chr(232)); END$$;`;

const CASES: readonly {
  title: string;
  name: string;
  create?: string;
  content: string;
  settings?: readonly string[];
  tables: Record<string, number>;
}[] = [
  {
    title: 'an index over a function with an unqualified name',
    name: 'my-app',
    content: UNACCENT,
    tables: { people: 3 },
  },
  {
    title: 'settings that change every session, and names that end lines for some',
    name: 'My-App$',
    content: `CREATE TABLE "café" AS SELECT generate_series(1, 4) AS id; CREATE TABLE "a\u2028b\u2029c" (id integer);
      CREATE TABLE "with \\x41 and \\\\" (id integer);`,
    settings: SETTINGS,
    tables: { café: 4, 'a\u2028b\u2029c': 0, 'with \\\\x41 and \\\\\\\\': 0 },
  },
  {
    title: 'LATIN1',
    name: 'a=b host=nowhere',
    create: "ENCODING 'LATIN1' LOCALE 'C' TEMPLATE template0",
    content: RAW_NAMES,
    tables: { 'caf\\xe9': 2, 'caf\\xe8': 5 },
  },
  {
    title: 'WIN1252 with a byte that has no counterpart in UTF-8',
    name: `it's`,
    create: "ENCODING 'WIN1252' LOCALE 'C' TEMPLATE template0",
    content: `SET client_encoding = 'WIN1252'; CREATE TABLE t AS SELECT chr(129) AS byte;`,
    tables: { t: 1 },
  },
  {
    title: 'SQL_ASCII',
    name: '-bytes',
    create: "ENCODING 'SQL_ASCII' LOCALE 'C' TEMPLATE template0",
    content: RAW_NAMES,
    tables: { 'caf\\xe9': 2, 'caf\\xe8': 5 },
  },
];

describe.skipIf(!canLab)('databases that a backup takes (needs root on Linux)', () => {
  let lab: HostLab;

  beforeAll(async () => {
    lab = await openHostLab(CASES.map(({ name }) => name));
    await lab.cluster.query('postgres', 'CREATE ROLE nobody_much');
  });
  afterAll(async () => {
    await lab?.close();
  });

  test.each(CASES)(
    '$title',
    async ({ name, create = '', content, settings = [], tables }) => {
      const quoted = `"${name}"`;
      await lab.cluster.query('postgres', `CREATE DATABASE ${quoted} ${create}`);
      await lab.cluster.query(name, content);
      for (const setting of settings) {
        await lab.cluster.query('postgres', `ALTER DATABASE ${quoted} SET ${setting}`);
      }
      const ending = await lab.start('backup.run', { database: name, localRetentionDays: 30 }).ended();
      expect(ending, JSON.stringify(ending)).toMatchObject({ state: 'succeeded' });
      const { backupId } = BackupSummary.parse(ending.result);
      const text = readFileSync(join(lab.localDir, backupId, 'manifest.json'), 'utf8');
      const { payload } = DsseEnvelope.parse(JSON.parse(text));
      const manifest = BackupManifest.parse(JSON.parse(Buffer.from(payload, 'base64').toString('utf8')));
      expect(Object.fromEntries(manifest.tables.map(({ table, rows }) => [table, rows]))).toEqual(tables);
      expect(manifest.database).toBe(name);
      expect(manifest.databaseBytes).toBeGreaterThan(1_000_000);
      const kept = manifest.properties.settings.map(({ name: setting, value }) => `${setting} = ${value}`);
      expect(kept.toSorted()).toEqual(settings.map((setting) => setting.replaceAll("'", '')).toSorted());
      for (const part of manifest.parts) {
        expect((await checkPart(lab.bucket, manifest, part)).faults).toEqual([]);
      }
    },
    180_000,
  );
});
