import { expect, test } from 'vitest';
import { readErrors, sessionOptions } from '#agent/host/sql-script.ts';

test.each<[string, string, string[]]>([
  ['an error', 'psql:<stdin>:4: ERROR:  role "a" does not exist\n', ['ERROR:  role "a" does not exist']],
  [
    'one in another language',
    'psql:<stdin>:12: FEHLER:  Rolle „a“ existiert nicht\n',
    ['FEHLER:  Rolle „a“ existiert nicht'],
  ],
  ["psql's own", 'psql:<stdin>:1: error: invalid command \\nope\n', ['error: invalid command \\nope']],
  ['what is none', 'psql:<stdin>:4: INFO:  ERROR: as a user wrote it\nLINE 1: ERROR: x\n', []],
])('%s is read from what psql said', (_name, stderr, errors) => {
  expect(readErrors(stderr)).toEqual(errors);
});

test('a superuser chooses the language of its session; the restoring role may not', async () => {
  const place = { cluster: { socketDir: '/run', port: 5432 }, database: 'd' };
  const login = { role: 'r', account: { uid: 1, gid: 1 }, password: '' };
  expect((await sessionOptions({ ...place, login })).env.PGOPTIONS).not.toContain('lc_messages');
  expect((await sessionOptions({ ...place, login })).env.PGOPTIONS).toContain('client_min_messages=error');
});
