// The first process of a new host, in namespaces of its own: mounts the host's root, waits for its network, and becomes
// systemd. Started by launch.ts; talks to its starter by one line each way on stdin and stdout.
import { spawnSync } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import {
  chmodSync,
  cpSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import {
  BootPlan,
  bootIdFileOf,
  DISK_PATHS,
  deviceNames,
  diskLayerOf,
  kernelMountArguments,
  LOWER_LINK,
  laterMountArguments,
  MASKED_UNITS,
  memoryLayerOf,
  mountArguments,
  overlayArguments,
  rootOf,
} from './boot-plan.ts';

const ROOT_ONLY = 0o700;

function mount(args: string[], cwd?: string): void {
  const { status, stderr } = spawnSync('/bin/mount', args, { encoding: 'utf8', cwd });
  if (status !== 0) throw new Error(`mount ${args.join(' ')}: ${stderr.trim()}`);
}

/** Makes the disk on the first boot from this machine's files; later boots use it unchanged. */
function prepareDisk(plan: BootPlan): void {
  for (const path of DISK_PATHS) {
    const onDisk = join(plan.diskDir, path);
    if (existsSync(onDisk)) continue;
    mkdirSync(dirname(onDisk), { recursive: true, mode: 0o755 });
    const inSystem = join(plan.systemDir, path);
    if (path === '/etc/nginx' && existsSync(inSystem)) copyWhole(inSystem, onDisk);
    else mkdirSync(onDisk, { mode: 0o755 });
  }
  const machineId = machineIdFileOf(plan);
  if (!existsSync(machineId)) writeFileSync(machineId, `${randomUUID().replaceAll('-', '')}\n`);
  writeFileSync(bootIdFileOf(plan), `${randomUUID()}\n`);
}

/** Beside and renamed: a first boot that is cut short leaves no half of it. */
function copyWhole(from: string, to: string): void {
  rmSync(`${to}.new`, { recursive: true, force: true });
  cpSync(from, `${to}.new`, { recursive: true, verbatimSymlinks: true });
  renameSync(`${to}.new`, to);
}

/** Its own, not the outer machine's: the journal keeps its files under this id. */
function machineIdFileOf(plan: BootPlan): string {
  return join(plan.diskDir, 'machine-id');
}

function hideOuterFiles(plan: BootPlan): void {
  for (const path of plan.hiddenPaths) {
    const target = join(rootOf(plan), path);
    if (existsSync(target)) mount(['-t', 'tmpfs', '-o', 'mode=700', 'tmpfs', target]);
  }
}

function prepareMountPoints(plan: BootPlan): void {
  const root = rootOf(plan);
  for (const name of deviceNames()) writeFileSync(join(root, 'dev', name), '');
  for (const dir of ['pts', 'shm', 'mqueue']) mkdirSync(join(root, 'dev', dir), { recursive: true });
  for (const [name, target] of [
    ['fd', '/proc/self/fd'],
    ['stdin', '/proc/self/fd/0'],
    ['stdout', '/proc/self/fd/1'],
    ['stderr', '/proc/self/fd/2'],
    ['ptmx', 'pts/ptmx'],
  ] as const) {
    symlinkSync(target, join(root, 'dev', name));
  }
  for (const path of DISK_PATHS) mkdirSync(join(root, path), { recursive: true });
}

function configureHost(plan: BootPlan): void {
  const root = rootOf(plan);
  const units = join(root, 'etc/systemd/system');
  for (const unit of MASKED_UNITS) {
    relink('/dev/null', join(units, unit));
  }
  maskGenerators(root);
  relink('/lib/systemd/system/multi-user.target', join(units, 'default.target'));
  rmSync(join(root, 'etc/machine-id'), { force: true });
  writeFileSync(join(root, 'etc/machine-id'), readFileSync(machineIdFileOf(plan)), { mode: 0o444 });
  writeFileSync(join(root, 'etc/hostname'), `${plan.name}\n`);
  writeFileSync(join(root, 'etc/hosts'), `127.0.0.1 localhost\n::1 localhost\n127.0.1.1 ${plan.name}\n`);
  writeFileSync(join(root, 'etc/fstab'), '');
  rmSync(join(root, 'etc/localtime'), { force: true });
  symlinkSync(`/usr/share/zoneinfo/${plan.timezone}`, join(root, 'etc/localtime'));
  writeFileSync(join(root, 'etc/timezone'), `${plan.timezone}\n`);
  mkdirSync(join(root, 'etc/systemd/journald.conf.d'), { recursive: true });
  writeFileSync(
    join(root, 'etc/systemd/journald.conf.d/host.conf'),
    '[Journal]\nStorage=persistent\nSystemMaxUse=200M\n',
  );
}

/**
 * Keeps systemd from running its generators at boot and at each reload: one would start the outer machine's start scripts
 * here too, and the others look for hardware, which the host does not have. PostgreSQL's makes the unit of each cluster.
 */
function maskGenerators(root: string): void {
  const masked = join(root, 'etc/systemd/system-generators');
  mkdirSync(masked, { recursive: true });
  for (const name of readdirSync(join(root, 'lib/systemd/system-generators')))
    if (name.startsWith('systemd-')) relink('/dev/null', join(masked, name));
}

function relink(target: string, link: string): void {
  rmSync(link, { force: true });
  symlinkSync(target, link);
}

function tryMount(args: string[], cwd: string): boolean {
  return spawnSync('/bin/mount', args, { stdio: 'ignore', cwd }).status === 0;
}

function makeLayer(plan: BootPlan, layer: string): void {
  for (const dir of ['upper', 'work']) mkdirSync(join(layer, dir), { recursive: true });
  chmodSync(join(layer, 'upper'), 0o755);
  relink(plan.systemDir, join(layer, LOWER_LINK));
}

function mountRoot(plan: BootPlan): void {
  mount(['--make-rprivate', '/']);
  mkdirSync(rootOf(plan), { recursive: true, mode: ROOT_ONLY });
  makeLayer(plan, diskLayerOf(plan));
  if (tryMount(overlayArguments(plan), diskLayerOf(plan))) return;
  const layer = memoryLayerOf(plan);
  mkdirSync(layer, { recursive: true, mode: ROOT_ONLY });
  mount(['-t', 'tmpfs', '-o', 'mode=755', 'tmpfs', layer]);
  makeLayer(plan, layer);
  mount(overlayArguments(plan), layer);
}

function readLine(): string {
  const buffer = Buffer.alloc(64);
  const length = readSync(0, buffer);
  return buffer.toString('utf8', 0, length).trim();
}

const plan = BootPlan.parse(JSON.parse(process.argv[2] ?? ''));
prepareDisk(plan);
mountRoot(plan);
for (const args of mountArguments(plan)) mount(args);
prepareMountPoints(plan);
for (const args of laterMountArguments(plan)) mount(args);
hideOuterFiles(plan);
configureHost(plan);
for (const args of kernelMountArguments(plan, existsSync)) mount(args);
// systemd hands credentials to units through mounts that must spread inside the host; in a container it leaves this to us.
mount(['--make-rshared', rootOf(plan)]);
spawnSync('/bin/hostname', [plan.name]);
process.stdout.write('mounted\n');
if (readLine() !== 'go') process.exit(1);
process.execve?.(
  '/usr/sbin/chroot',
  ['chroot', rootOf(plan), '/lib/systemd/systemd', '--system', '--log-target=journal', '--show-status=no'],
  {
    // Tells systemd that it runs in a container: it then leaves hardware and kernel settings alone.
    container: 'lamplighter',
    PATH: '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin',
  },
);
