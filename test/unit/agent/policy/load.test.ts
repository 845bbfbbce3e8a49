import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { stringify } from 'yaml';
import { UNITS } from '#agent/install/units.ts';
import { loadPolicy, readUnitNames } from '#agent/policy/load.ts';
import { lastValue, parseUnitFile } from '#local/demo/supervisor/unit-file.ts';

const dir = mkdtempSync(join(tmpdir(), 'lamplighter-policy-'));
const file = join(dir, 'policy.yaml');
afterAll(() => rmSync(dir, { recursive: true, force: true }));

function write(units: object): void {
  writeFileSync(file, stringify({ version: 1, host: 'web-1', operations: [], units }), { mode: 0o644 });
}

test('a template in the place of a unit is refused, and says what would be right', () => {
  write({ 'app-web.service': ['status'], 'worker@.service': ['status'] });
  expect(() => loadPolicy(file, 'web-1')).toThrow('name an instance of it, such as worker@1.service');
});

test('the other units of a policy that does not hold are still told of', () => {
  write({ 'app-web.service': ['status'], 'worker@.service': ['status'], 'a b.service': [], 'tick.timer': 7 });
  expect(readUnitNames(file)).toEqual(['app-web.service', 'tick.timer']);
});

test.each(['', 'units: 7', 'units: [a]', '{', 'units: *x'])('%j names no unit', (text) => {
  writeFileSync(file, text);
  expect(readUnitNames(file)).toEqual([]);
});

test.each([
  ['/etc/lamplighter/age-identity.txt', true],
  ['/etc/lamplighter/identities/2026.txt', true],
  ['/etc/lamplighter/identities-2026.txt', false],
  ['/root/key.txt', false],
])('an identity may be where the reader of journals does not see it: %s, %s', (identityFile, isTaken) => {
  const recipients = [`age1${'q'.repeat(58)}`];
  const backup = {
    bucket: 'bucket',
    localDir: '/var/backups/app',
    recipients,
    configPaths: [],
    identityFile,
  };
  writeFileSync(file, stringify({ version: 1, host: 'web-1', operations: [], units: {}, backup }), {
    mode: 0o644,
  });
  const load = () => loadPolicy(file, 'web-1');
  if (isTaken) expect(load().policy.backup?.identityFile).toBe(identityFile);
  else expect(load).toThrow(`identityFile is /etc/lamplighter/age-identity.txt or`);
  const reader = parseUnitFile(UNITS['lamplighter-read@.service'] ?? '');
  const hidden = lastValue(reader, 'Service.InaccessiblePaths')?.split(' ') ?? [];
  expect(hidden.some((path) => `${identityFile}/`.startsWith(`${path.slice(1)}/`))).toBe(isTaken);
});
