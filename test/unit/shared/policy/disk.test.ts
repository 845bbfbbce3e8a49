import { describe, expect, test } from 'vitest';
import { diskClean, diskUsage } from '#shared/operations/disk.ts';
import { HostDisk, matchesPattern } from '#shared/policy/disk.ts';
import { Policy } from '#shared/policy/policy.ts';

test.each([
  ['app.log', '*.log', true],
  ['app.log.1', '*.log', false],
  ['.log', '*.log', true],
  ['app-2026.log', 'app-????.log', true],
  ['app-202.log', 'app-????.log', false],
  ['a[b].log', 'a[b].log', true],
  ['aXb', 'a.b', false],
  ['ünï.log', 'ün?.log', true],
  ['db-1.sql.gz', 'db-*.*.gz', true],
  ['', '*.log', false],
  ['aaaa', 'a*a*b', false],
  ['a\nb.log', '*.log', true],
])('%j matches %j: %s', (name, pattern, isMatch) => {
  expect(matchesPattern(name, pattern)).toBe(isMatch);
});

test('a name that nearly matches takes no long time', () => {
  expect(matchesPattern('a'.repeat(255), `${'*a'.repeat(100)}*b`)).toBe(false);
});

test.each(['*', '**', '?', '.*', '../*.log', 'logs/*.log', ''])('%j is no pattern', (pattern) => {
  const entry = { folder: '/opt/app/logs', names: [pattern] };
  expect(HostDisk.safeParse({ clean: { logs: entry } }).success).toBe(false);
});

test('a clean-up says no more than folder and names: seven days, and the newest stays', () => {
  const { clean } = HostDisk.parse({ clean: { logs: { folder: '/opt/app/logs', names: ['*.log'] } } });
  expect(clean.logs).toMatchObject({ olderThanDays: 7, keepNewest: 1 });
});

describe('the policy decides', () => {
  const policyOf = (disk: object) =>
    Policy.parse({
      version: 1,
      host: 'web-1',
      operations: [],
      units: {},
      disk,
      backup: {
        bucket: 'b-b-b',
        localDir: '/opt/app/backups',
        recipients: [`age1${'q'.repeat(58)}`],
        configPaths: [],
      },
    });
  const clean = (folder: string) => policyOf({ clean: { old: { folder, names: ['*.gz'] } } });

  test.each([
    ['/opt/app/dumps', true],
    ['/opt/app/backups', false],
    ['/opt/app/backups/older', false],
    ['/opt/app', false],
    ['/opt/app/backups2', true],
  ])('cleaning up %s, where the backups are in /opt/app/backups: %s', (folder, allowed) => {
    expect(diskClean.permit({ what: 'old' }, clean(folder), 0).allowed).toBe(allowed);
  });

  test('a clean-up that is not in it is refused with those that are', () => {
    const verdict = diskClean.permit({ what: 'logs' }, clean('/opt/app/dumps'), 0);
    expect(verdict).toMatchObject({
      allowed: false,
      detail: "the host's policy has no clean-up logs (it has old)",
    });
  });

  test.each([
    ['/opt/app/logs', true],
    ['/opt/app', true],
    ['/opt/application', false],
    ['/', false],
    ['/root', false],
  ])('looking at %s: %s', (path, allowed) => {
    if (path === '/') return expect(diskUsage.params.safeParse({ path }).success).toBe(false);
    expect(diskUsage.permit({ path }, policyOf({ look: ['/opt/app'] }), 0).allowed).toBe(allowed);
  });
});
