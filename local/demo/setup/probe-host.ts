// Tries each thing that booting a host needs, in namespaces of its own, and prints the first that this machine refuses.
// capabilities.ts starts it through unshare(1) with an empty directory as argument. Its namespaces and mounts end with it.
import { spawnSync } from 'node:child_process';
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';

const [, , dir = ''] = process.argv;

function attempt(what: string, argv: readonly [string, ...string[]]): void {
  const { status, stderr, error } = spawnSync(argv[0], argv.slice(1), { encoding: 'utf8', cwd: dir });
  if (status === 0) return;
  console.log(`${what}: ${error?.message ?? stderr.trim().split('\n')[0]}`);
  process.exit(1);
}

attempt('mounts of its own', ['/bin/mount', '--make-rprivate', '/']);
attempt('a tmpfs', ['/bin/mount', '-t', 'tmpfs', 'tmpfs', dir]);
// The working directory still is the one below the new mount.
process.chdir(dir);
for (const name of ['upper', 'work', 'root']) mkdirSync(join(dir, name));
const layers = 'lowerdir=/,upperdir=upper,workdir=work';
attempt('an overlay', ['/bin/mount', '-t', 'overlay', 'overlay', '-o', layers, join(dir, 'root')]);
for (const [type, where] of [
  ['proc', 'proc'],
  ['sysfs', 'sys'],
  ['cgroup2', 'sys/fs/cgroup'],
] as const) {
  attempt(`a ${type}`, ['/bin/mount', '-t', type, type, join(dir, 'root', where)]);
}
attempt('a bridge', ['/sbin/ip', 'link', 'add', 'name', 'lampprobe', 'type', 'bridge']);
attempt('a veth pair', [
  '/sbin/ip',
  'link',
  'add',
  'lampprobe1',
  'type',
  'veth',
  'peer',
  'name',
  'lampprobe2',
]);
