// The programs that people start: an option that a program does not know is told in its own words, with where to look.
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { expect, test } from 'vitest';

const ROOT = join(import.meta.dirname, '../..');

test.each([
  ['functions/admin.ts', 1, 'usage: node functions/admin.ts'],
  ['agent/install/main.ts', 2, 'See --help.'],
  ['local/main.ts', 2, 'See --help.'],
  ['local/mail/show.ts', 2, 'See --help.'],
  ['test/bench/main.ts', 2, 'Usage: npm run bench'],
])('%s', (program, code, hint) => {
  const ran = spawnSync(process.execPath, [join(ROOT, program), '--bogus'], { encoding: 'utf8' });
  expect(ran).toMatchObject({ status: code, stdout: '', stderr: expect.stringContaining(hint) });
  expect(ran.stderr).toContain('read options: there is no option --bogus\n');
  expect(ran.stderr).not.toMatch(/Unknown option|ERR_| at /);
});
