// The script that a person starts on a VM, on simulated systems: each program that it calls is a stub.
import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';

const TEMPLATE = join(import.meta.dirname, '../../../../agent/install/install.sh');

let dir: string;
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'lamplighter-install-'));
});
afterEach(() => rmSync(dir, { recursive: true, force: true }));

interface System {
  kernel?: string;
  machine?: string;
  /** Output of getconf; undefined where it does not know the variable (musl). */
  libc?: string | undefined;
  isSystemd?: boolean;
  systemd?: string;
  uid?: string;
}

function writeProgram(path: string, body: string): void {
  writeFileSync(path, `#!/bin/sh\n${body}\n`, { mode: 0o755 });
}

function install(system: System): { code: number | null; said: string } {
  const {
    kernel = 'Linux',
    machine = 'x86_64',
    isSystemd = true,
    systemd = '252 (252.38-1)',
    uid = '0',
  } = system;
  const libc = 'libc' in system ? system.libc : 'glibc 2.36';
  const [bin, run] = [join(dir, 'stubs'), join(dir, 'run')];
  for (const path of [bin, join(dir, 'bin'), ...(isSystemd ? [run] : [])])
    mkdirSync(path, { recursive: true });
  writeProgram(join(bin, 'uname'), `[ "$1" = -s ] && echo ${kernel} || echo ${machine}`);
  writeProgram(join(bin, 'getconf'), libc === undefined ? 'exit 1' : `echo ${libc}`);
  writeProgram(join(bin, 'systemctl'), `echo 'systemd ${systemd}'`);
  writeProgram(join(bin, 'id'), `echo ${uid}`);
  writeProgram(join(dir, 'bin/node'), 'echo "node $(basename "$1") $2 $3"');
  const script = readFileSync(TEMPLATE, 'utf8')
    .replaceAll('@MACHINE@', 'x86_64')
    .replaceAll('@GLIBC@', '2.28')
    .replaceAll('@SYSTEMD@', '247')
    // A directory of this test in place of the one that shows a running systemd.
    .replaceAll('/run/systemd/system', run);
  writeFileSync(join(dir, 'install'), script, { mode: 0o755 });
  const { status, stdout, stderr } = spawnSync(join(dir, 'install'), ['--host', 'web-1'], {
    env: { PATH: `${bin}:/usr/bin:/bin` },
    encoding: 'utf8',
  });
  return { code: status, said: `${stdout}${stderr}`.trim() };
}

test.each<[string, System]>([
  ['Debian 12', {}],
  ['the oldest glibc and systemd', { libc: 'glibc 2.28', systemd: '247' }],
  ['a release candidate of systemd', { systemd: '256~rc3 (256~rc3-1)' }],
  ['glibc 3', { libc: 'glibc 3.0' }],
])('%s is taken, and the installer gets what was given', (_name, system) => {
  expect(install(system)).toEqual({ code: 0, said: 'node install.mjs --host web-1' });
});

test.each<[string, System, RegExp]>([
  ['another kernel', { kernel: 'Darwin' }, /runs on Linux only, and this is Darwin$/],
  [
    'another architecture',
    { machine: 'aarch64' },
    /for x86_64, and this machine is aarch64; take the archive for it$/,
  ],
  ['musl', { libc: undefined }, /needs glibc 2\.28 or newer, and this system has another C library/],
  ['an old glibc', { libc: 'glibc 2.27' }, /needs glibc 2\.28 or newer, and this system has 2\.27$/],
  ['no systemd', { isSystemd: false }, /needs systemd, and this system was not started by it$/],
  [
    'an old systemd',
    { systemd: '245 (245.4-4ubuntu3)' },
    /needs systemd 247 or newer, and this system has 245$/,
  ],
  ['a user without rights', { uid: '1000' }, /needs root; run it with sudo$/],
])('%s is refused with one sentence', (_name, system, sentence) => {
  const { code, said } = install(system);
  expect(code).toBe(1);
  expect(said).toMatch(sentence);
  expect(said.split('\n')).toHaveLength(1);
});
