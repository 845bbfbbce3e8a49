import { expect, test } from 'vitest';
import { nameWithProgram, parseCgroup, parseCount, parseStatus, unitOf } from '#agent/host/processes.ts';

const STATUS =
  'Name:\tgunicorn: mast\nUmask:\t0022\nState:\tS (sleeping)\nUid:\t33\t33\t33\t33\nVmPeak:\t  90000 kB\nVmRSS:\t   51200 kB\n';

test('a process by its status', () => {
  expect(parseStatus(STATUS)).toEqual({ name: 'gunicorn: mast', uid: 33, residentBytes: 51_200 * 1024 });
});

test.each([
  ['a thread of the kernel', 'Name:\tkworker/0:1\nUid:\t0\t0\t0\t0\n'],
  ['a process that is gone', ''],
])('%s has no memory of its own', (_name, text) => {
  expect(parseStatus(text)).toBeUndefined();
});

test('a name can hold what looks like another field', () => {
  expect(parseStatus(STATUS.replace('gunicorn: mast', 'VmRSS:\\t1 kB'))?.residentBytes).toBe(51_200 * 1024);
});

test.each([
  ['one hierarchy', '0::/system.slice/app-web.service\n', '/system.slice/app-web.service'],
  [
    'older ones beside it',
    '8:memory:/x\n1:name=systemd:/system.slice/app-web.service\n0::/\n',
    '/system.slice/app-web.service',
  ],
  [
    "a container's, which systemd outside has in its own",
    '1:name=systemd:/outer.service\n0::/system.slice/app-web.service\n',
    '/system.slice/app-web.service',
  ],
  ['none', '', ''],
])('the control group: %s', (_name, text, path) => {
  expect(parseCgroup(text)).toBe(path);
});

test.each([
  ['/system.slice/app-web.service', 'app-web.service', '/system.slice/app-web.service'],
  [
    '/system.slice/system-postgresql.slice/postgresql@15-main.service',
    'postgresql@15-main.service',
    '/system.slice/system-postgresql.slice/postgresql@15-main.service',
  ],
  ['/user.slice/user-0.slice/session-3.scope', 'session-3.scope', '/user.slice/user-0.slice/session-3.scope'],
  [
    '/user.slice/user-1.slice/user@1.service/app.slice/a.scope',
    'user@1.service',
    '/user.slice/user-1.slice/user@1.service',
  ],
  ['/system.slice/docker.service/inner', 'docker.service', '/system.slice/docker.service'],
])('the unit of %s is %s', (cgroup, unit, path) => {
  expect(unitOf(cgroup)).toEqual({ unit, path });
});

test.each(['', '/', '/init.scope.d', '/kubepods/pod1'])('%j belongs to no unit', (cgroup) => {
  expect(unitOf(cgroup)).toBeUndefined();
});

test.each([
  ['pgfault 9\noom_kill 3\nx 1\n', 3],
  ['oom 4\noom_kill 0\n', 0],
  ['oom_kill_group 5\n', null],
  ['', null],
])('kills in %j: %s', (text, count) => {
  expect(parseCount(text, 'oom_kill')).toBe(count);
});

test.each([
  ['MainThread', 'node', 'MainThread (node)'],
  ['systemd-journal', 'systemd-journald', 'systemd-journald'],
  ['nginx', 'nginx', 'nginx'],
  ['kthreadd', undefined, 'kthreadd'],
])('%s of the program %s is called %s', (name, program, shown) => {
  expect(nameWithProgram(name, program)).toBe(shown);
});
