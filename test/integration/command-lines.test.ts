// The programs that people and units start: an unknown option gets an error in our own words, which names the help.
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { expect, test } from 'vitest';

const ROOT = join(import.meta.dirname, '../..');

test.each([
  ['functions/admin/main.ts', 1, 'usage: node functions/admin/main.ts'],
  ['agent/install/main.ts', 2, 'See --help.'],
  ['build/main.ts', 2, 'npm run build'],
  ['local/main.ts', 2, 'Run npm start -- --help to see the options.'],
  ['local/cloud/mail/show.ts', 2, 'Run npm run mail -- --help to see the options.'],
  ['test/bench/main.ts', 2, 'Usage: npm run bench'],
])('%s', (program, code, hint) => {
  const ran = spawnSync(process.execPath, [join(ROOT, program), '--bogus'], { encoding: 'utf8' });
  expect(ran).toMatchObject({ status: code, stdout: '', stderr: expect.stringContaining(hint) });
  expect(ran.stderr).toContain('read options: there is no option --bogus\n');
  expect(ran.stderr).not.toMatch(/Unknown option|ERR_| at /);
});

test.each(['agent/backup-pack/main.ts', 'agent/backup-stream/main.ts'])(
  '%s, which the runner starts, tells the runner',
  (program) => {
    const ran = spawnSync(process.execPath, [join(ROOT, program), '--bogus'], { encoding: 'utf8' });
    expect(ran).toMatchObject({
      status: 1,
      stdout: '',
      stderr: 'read options: there is no option --bogus\n',
    });
  },
);

test.each([
  ['agent/main.ts', 'agent failed', 'lamplighter-agent.service'],
  ['agent/runner/main.ts', 'runner failed', 'usage: runner run'],
])('%s, which units start, tells the journal', (program, msg, hint) => {
  const { status, stdout, stderr } = spawnSync(process.execPath, [join(ROOT, program), '--bogus'], {
    encoding: 'utf8',
  });
  expect(status).toBe(1);
  const lines = `${stdout}${stderr}`.split('\n').filter((line) => line.startsWith('{'));
  expect(lines.map((line) => JSON.parse(line))).toEqual([
    { msg, error: 'read options: there is no option --bogus', hint: expect.stringContaining(hint) },
  ]);
  expect(`${stdout}${stderr}`).not.toMatch(/Unknown option|ERR_/);
});
