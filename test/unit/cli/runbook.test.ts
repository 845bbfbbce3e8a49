import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { readTime } from '#cli/service/logs.ts';
import { lamp } from '#test/integration/cli/scripted-api.ts';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'lamplighter-runbook-'));
});
afterEach(() => rmSync(folder, { recursive: true }));

function write(text: string): string {
  const file = join(folder, 'runbook.yaml');
  writeFileSync(file, text);
  return file;
}

const GOOD = 'version: 1\nname: demo\nhosts:\n  vm-1:\n    address: 10.0.0.1\n';

test('validates without any control plane', async () => {
  const file = write(GOOD);
  expect(await lamp(['runbook', 'validate', file])).toEqual({ code: 0, out: `${file}: valid\n`, err: '' });
});

test('prints all faults with file, line and column, and the near name', async () => {
  const file = write(`${GOOD}services:\n  web:\n    host: vm-2\n    unit: app-web\n    prt: 80\n`);
  const { code, out } = await lamp(['runbook', 'validate', file]);
  expect(code).toBe(1);
  expect(out.split('\n')).toEqual([
    expect.stringMatching(`${file}:8:5 services.web.host: unknown host "vm-2". Did you mean "vm-1"\\?`),
    expect.stringMatching(`${file}:9:5 services.web.unit: .*app-web.service`),
    expect.stringMatching(`${file}:10:5 services.web.prt: unknown key "prt". Did you mean "port"\\?`),
    '',
  ]);
});

test('--json lists them as one document', async () => {
  const { code, out } = await lamp(['runbook', 'validate', write('version: 2\n'), '--json']);
  expect(code).toBe(1);
  expect(JSON.parse(out)).toMatchObject({ valid: false, errors: expect.any(Array) });
  expect(JSON.parse((await lamp(['runbook', 'validate', write(GOOD), '--json'])).out)).toEqual({
    valid: true,
    errors: [],
    warnings: [],
  });
});

test('a file that is not there is a usage error', async () => {
  const { code, err } = await lamp(['runbook', 'validate', '/nonexistent/runbook.yaml']);
  expect(code).toBe(2);
  expect(err).toContain('read runbook /nonexistent/runbook.yaml: ENOENT');
});

test.each([
  ['10m', '2026-11-23T07:50:00.000Z'],
  ['2h', '2026-11-23T06:00:00.000Z'],
  ['30 min ago', '2026-11-23T07:30:00.000Z'],
  ['2 hours ago', '2026-11-23T06:00:00.000Z'],
  ['1 day', '2026-11-22T08:00:00.000Z'],
  ['2026-11-23T09:00:00+02:00', '2026-11-23T07:00:00.000Z'],
])('--since %s', (word, expected) => {
  expect(readTime('--since', word, Date.parse('2026-11-23T08:00:00Z'))).toBe(expected);
});

test('a warning is told beside the result and does not refuse the runbook', async () => {
  const file = write(`${GOOD}services:\n  db:\n    host: vm-1\n    unit: postgresql.service\n`);
  const { code, out, err } = await lamp(['runbook', 'validate', file]);
  expect({ code, out }).toEqual({ code: 0, out: `${file}: valid\n` });
  expect(err).toContain(`${file}:9:5 services.db.unit: warning: `);
  expect(err).toContain('postgresql@15-main.service');
});
