import { expect, test } from 'vitest';
import { chooseMajor } from '#agent/host/postgres-programs.ts';
import { checkServers } from '#agent/install/databases.ts';
import { LamplighterError } from '#shared/errors.ts';

const server = (port: number) => ({ socketDir: '/nonexistent', port, allow: [] });
const DATABASES = { a: server(5432), b: server(5432), c: server(5433) };

async function told(ask?: Parameters<typeof checkServers>[2]): Promise<string[]> {
  const lines: string[] = [];
  await checkServers(DATABASES, (line) => void lines.push(line), ask);
  return lines;
}

test('a server that is too old is refused with the databases that it has', async () => {
  const ask = ({ port }: { port: number }) =>
    Promise.resolve({ version: `pg_dump (PostgreSQL) ${chooseMajor(port === 5432 ? 15 : 12, [15])}.18` });
  await expect(told(ask)).rejects.toMatchObject({
    code: 'refused',
    message: expect.stringMatching(/^install agent for c: .*13 is the oldest version/),
    hint: expect.stringContaining('take c out of "databases:"'),
  });
});

test('a server that does not run is told of once, with the least version', async () => {
  const lines = await told();
  expect(lines).toHaveLength(2);
  expect(lines[0]).toMatch(/^Not checked: a, b must be on PostgreSQL 13 or newer \(/);
});

test.each<[string, Parameters<typeof checkServers>[2], RegExp]>([
  ['good programs', () => Promise.resolve({ version: 'pg_dump (PostgreSQL) 15.18' }), /^$/],
  [
    'a pg_dump that runs code of others',
    () => Promise.resolve({ version: 'pg_dump (PostgreSQL) 15.7' }),
    /Backups of a, b will fail until .*15\.8/,
  ],
  [
    'programs that are missing',
    () => Promise.reject(new LamplighterError('unavailable', 'none', { hint: 'Install them.' })),
    /Not checked: .*\(none\)\. Install them\./,
  ],
])('%s: nothing is refused, and what is to be mended is told', async (_name, ask, line) => {
  expect((await told(ask)).join('\n')).toMatch(line);
});
