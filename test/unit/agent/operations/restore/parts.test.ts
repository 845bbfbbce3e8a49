import { statfsSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { reserveOf } from '#agent/host/disk-reserve.ts';
import { createLineCounter } from '#agent/operations/restore/count.ts';
import { type Filling, sessionOf } from '#agent/operations/restore/pass.ts';
import { createStatement, propertyStatements, settingValue } from '#agent/operations/restore/properties.ts';
import { createRefusalReader } from '#agent/operations/restore/refused.ts';
import { scramVerifier } from '#agent/operations/restore/role.ts';
import { needRoom, reckonWriting } from '#agent/operations/restore/room.ts';
import type { DatabaseProperties } from '#shared/backup/database-properties.ts';

test.each([1, 3, 1000])('lines between marks are counted, in pieces of %d bytes', (size) => {
  const counter = createLineCounter(Buffer.from('mark'));
  const text = Buffer.from('one\ntwo\nmark\nmark\n\n\nmarks\n mark\nmark\n');
  for (let at = 0; at < text.length; at += size) counter.take(text.subarray(at, at + size));
  expect(counter.counts()).toEqual([2, 0, 4]);
});

test('a password is stored as PostgreSQL stores one', () => {
  // RFC 7677, section 3: user "user", password "pencil", salt W22ZaJ0SNY7soEsUEjb6gQ==, 4096 rounds.
  expect(scramVerifier('pencil', Buffer.from('W22ZaJ0SNY7soEsUEjb6gQ==', 'base64'))).toBe(
    'SCRAM-SHA-256$4096:W22ZaJ0SNY7soEsUEjb6gQ==$WG5d8oPm3OtcPnkdi4Uo7BkeZkBFzpcXkuLmtbsT4qY=:wfPLwcE6nTWhTAmQ7tl2KeoiWGPlZqQxSrmfPwDl2dU=',
  );
});

test('what pg_restore refused is told with its entry', () => {
  const reader = createRefusalReader([]);
  const said = `pg_restore: while PROCESSING TOC:
pg_restore: from TOC entry 215; 1259 16394 TABLE t keeper
pg_restore: error: could not execute query: ERROR:  relation "a" does not exist
Command was: CREATE TABLE t (x integer CHECK (f(x)));
pg_restore: error: COPY failed for table "u": ERROR:  no
`;
  for (const piece of said.match(/.{1,17}/gs) ?? []) reader.take(piece);
  expect(reader.refused()).toEqual([
    { what: 'the dump', why: 'ERROR:  relation "a" does not exist', dumpId: 215 },
    { what: 'rows', why: 'COPY failed for table "u": ERROR:  no' },
  ]);
});

const MIB = 1024 * 1024;
const SERVER = { maxLogBytes: 1024 * MIB, keptLogBytes: 0, logBytes: 64 * MIB, sortBytes: 64 * MIB };

test.each<[string, number, { log: number; sort: number }]>([
  ['nothing', 0, { log: 0, sort: 0 }],
  ['a small database: its own bytes once more', 8 * MIB, { log: 8 * MIB, sort: 0 }],
  ['one whose indexes are sorted in memory', 256 * MIB, { log: 256 * MIB, sort: 0 }],
  ['a larger one: as much log as may still come', 4096 * MIB, { log: 960 * MIB, sort: 1024 * MIB }],
])('filling a database writes besides it: %s', (_name, bytes, written) => {
  expect(reckonWriting(bytes, SERVER)).toEqual(written);
});

test('a log that is at its limit needs no more room', () => {
  expect(reckonWriting(8 * MIB, { ...SERVER, logBytes: 2048 * MIB }).log).toBe(0);
});

test.each<[string, number, number]>([
  ['all of it, for nothing limits what a slot keeps', Infinity, 4096 * MIB],
  ['as much as a slot may keep', 2048 * MIB, 1984 * MIB],
  ['no less than without a slot', 16 * MIB, 960 * MIB],
])('what is kept of the log needs room: %s', (_name, keptLogBytes, log) => {
  expect(reckonWriting(4096 * MIB, { ...SERVER, keptLogBytes }).log).toBe(log);
});

test('needs on one file system are added up', () => {
  const dir = import.meta.dirname;
  const { bavail, bsize, blocks } = statfsSync(dir);
  const roomBytes = bavail * bsize - reserveOf(blocks * bsize);
  const some = { path: dir, bytes: Math.floor(roomBytes * 0.6) };
  expect(() => needRoom([some], 'restore shop')).not.toThrow();
  expect(() => needRoom([some, { ...some, path: join(dir, '..') }], 'restore shop')).toThrow(
    /are needed under \S+ \([\d,]+ MiB in \S+, [\d,]+ MiB in \S+\) and/,
  );
});

const CHECKED = 'pg_restore: error: could not execute query: ERROR:  no\nCommand was: SELECT 1;\n';
const IGNORED = 'pg_restore: warning: errors ignored on restore: 1\n';

test.each<[string, string, boolean]>([
  ['its list is done', `${CHECKED}${IGNORED}`, true],
  ['it broke off', `${CHECKED}pg_restore: error: error returned by PQputCopyData: server closed\n`, false],
  ["a statement's text looks like the end", `${CHECKED}${IGNORED}pg_restore: error: could not read\n`, false],
  ['a session was ended', `${CHECKED.replace('ERROR', 'FATAL')}${IGNORED}`, false],
  ['there is no session', `${CHECKED.replace('ERROR:  no', 'no connection to the server')}${IGNORED}`, false],
  [
    'a session was ended in COPY',
    `pg_restore: error: COPY failed for table "t": FATAL:  terminating connection\n${IGNORED}`,
    false,
  ],
  ['rows were refused', `pg_restore: error: COPY failed for table "t": ERROR:  no\n${IGNORED}`, true],
])('whether pg_restore went on to the end: %s', (_name, said, wentOn) => {
  const reader = createRefusalReader([]);
  reader.take(said);
  expect(reader.wentOn()).toBe(wentOn);
});

test.each<[string, string, object | undefined]>([
  [
    'in COPY of few rows',
    'pg_restore: error: COPY failed for table "t": FATAL:  terminating connection\npg_restore: error: COPY failed for table "u": no connection to the server',
    {
      doing: 'processing data for table "public.t"',
      why: 'COPY failed for table "t": FATAL:  terminating connection',
    },
  ],
  [
    'in COPY of many rows',
    'pg_restore: error: error returned by PQputCopyData: server closed',
    { doing: 'processing data for table "public.t"', why: 'error returned by PQputCopyData: server closed' },
  ],
  [
    'in an entry with a long name, which is cut',
    `pg_restore: creating FUNCTION "${'f'.repeat(300)}"\npg_restore: error: could not execute query: server closed`,
    { doing: `creating FUNCTION "${'f'.repeat(181)}`, why: 'could not execute query: server closed' },
  ],
  ['nowhere', 'pg_restore: error: COPY failed for table "t": ERROR:  no', undefined],
])('where a session was ended is told: %s', (_name, said, lost) => {
  const reader = createRefusalReader([]);
  reader.take(
    `pg_restore: creating TABLE "public.t"\npg_restore: processing data for table "public.t"\n${said}\n`,
  );
  expect(reader.lost()).toEqual(lost);
});

test.each([
  ['search_path', '"$user", app', "'$user', 'app'"],
  [
    'search_path',
    'a, public;ALTER/**/ROLE/**/x/**/SUPERUSER',
    "'a', 'public;ALTER/**/ROLE/**/x/**/SUPERUSER'",
  ],
  ['search_path', '', "''"],
  ['search_path', '"with ""quotes"""', `'with "quotes"'`],
  ['work_mem', "5MB'; DROP", "'5MB''; DROP'"],
])('the value of %s %s', (name, value, sql) => {
  expect(settingValue(name, value)).toBe(sql);
});

const PROPERTIES: DatabaseProperties = {
  owner: 'app',
  encoding: 'UTF8',
  collate: 'C.UTF-8',
  ctype: 'C.UTF-8',
  localeProvider: 'i',
  locale: 'de-DE',
  icuRules: null,
  tablespace: 'pg_default',
  connectionLimit: -1,
  isTemplate: false,
  comment: null,
  grants: [],
  settings: [],
  securityLabels: [],
};

test('a database is made with the provider that its server knows', () => {
  const locale = "ENCODING 'UTF8' LC_COLLATE 'C.UTF-8' LC_CTYPE 'C.UTF-8'";
  expect(createStatement('d', PROPERTIES, 16)).toBe(
    `CREATE DATABASE "d" TEMPLATE template0 ${locale} LOCALE_PROVIDER icu ICU_LOCALE 'de-DE' TABLESPACE "pg_default" ALLOW_CONNECTIONS false;`,
  );
  expect(createStatement('d', { ...PROPERTIES, localeProvider: 'c' }, 13)).not.toMatch(/PROVIDER/);
});

test('a setting that only the newer programs know is not sent to the server', () => {
  const filling = (serverMajor: number): Pick<Filling, 'cluster' | 'fresh' | 'login' | 'programs'> => {
    const programs = { serverMajor, version: 'pg_dump (PostgreSQL) 18.4', file: String };
    const login = { role: 'r', account: { uid: 1, gid: 1 }, password: '' };
    return { cluster: { socketDir: '/run', port: 5432 }, fresh: 'd', login, programs };
  };
  expect(sessionOf(filling(16), 'superuser').settings).toBeUndefined();
  expect(sessionOf(filling(17), 'superuser').settings).toEqual(['event_triggers=off']);
});

test('everything that was revoked stays revoked', () => {
  const statements = propertyStatements('d', PROPERTIES);
  expect(statements).toContain('REVOKE ALL ON DATABASE "d" FROM PUBLIC, "app";');
  expect(statements.filter((text) => text.startsWith('GRANT'))).toEqual([]);
});
