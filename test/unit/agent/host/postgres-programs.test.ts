import { expect, test } from 'vitest';
import { databaseArgument } from '#agent/host/postgres.ts';
import { assertDumpIsSafe, chooseMajor, parseVersion } from '#agent/host/postgres-programs.ts';

test.each<[server: number, installed: number[], chosen: number]>([
  [15, [15], 15],
  [15, [13, 15, 17], 15],
  [13, [17, 16, 14], 14],
  [17, [15, 18, 17], 17],
  [17, [15, 18], 18],
])('for a server of %d, of the programs %j it takes %d', (server, installed, chosen) => {
  expect(chooseMajor(server, installed)).toBe(chosen);
});

test.each<[string, number, number[], RegExp]>([
  ['none is installed', 15, [], /installed: none/],
  ['all are older than the server', 17, [13, 15], /installed: 13, 15/],
  ['what the newer ones take can only be restored on 17 and later', 15, [17, 18], /installed: 17, 18/],
  ['the server is too old', 12, [12, 15], /13 is the oldest version/],
])('refuses with what to do when %s', (_name, server, installed, message) => {
  expect(() => chooseMajor(server, installed)).toThrow(message);
  expect(() => chooseMajor(server, installed)).toThrow(
    expect.objectContaining({ hint: expect.stringMatching(/^(Install|Upgrade) /) }),
  );
});

test.each<[string, { major: number; minor: number } | undefined]>([
  ['pg_dump (PostgreSQL) 15.18 (Debian 15.18-0+deb12u1)', { major: 15, minor: 18 }],
  ['pg_dump (PostgreSQL) 17.0', { major: 17, minor: 0 }],
  ['pg_dump (PostgreSQL) 19beta1', undefined],
  ['', undefined],
])('reads the version of %j', (text, version) => {
  expect(parseVersion(text)).toEqual(version);
});

test.each([
  ['13.15', '13.16'],
  ['14.12', '14.13'],
  ['15.7', '15.8'],
  ['16.3', '16.4'],
])('refuses pg_dump %s, which runs code of others, and says that %s does not', (open, closed) => {
  expect(() => assertDumpIsSafe(`pg_dump (PostgreSQL) ${open}`)).toThrow(
    expect.objectContaining({ code: 'refused', hint: expect.stringContaining(closed) }),
  );
  expect(() => assertDumpIsSafe(`pg_dump (PostgreSQL) ${closed}`)).not.toThrow();
});

test('takes every pg_dump from 17 on, and none whose version it can not read', () => {
  for (const version of ['17.0', '18.4']) {
    expect(() => assertDumpIsSafe(`pg_dump (PostgreSQL) ${version}`)).not.toThrow();
  }
  for (const version of ['11.22', '12.22', '19beta1', '']) {
    expect(() => assertDumpIsSafe(`pg_dump (PostgreSQL) ${version}`)).toThrow(/CVE-2024-7348/);
  }
});

test.each([
  ['analytics', "--dbname=dbname='analytics'"],
  ['a=b host=evil', "--dbname=dbname='a=b host=evil'"],
  ['postgresql://evil/db', "--dbname=dbname='postgresql://evil/db'"],
  [`it's \\ odd`, `--dbname=dbname='it\\'s \\\\ odd'`],
  ['-W', "--dbname=dbname='-W'"],
])('names the database %j as a name and nothing else', (name, argument) => {
  expect(databaseArgument(name)).toBe(argument);
});
