// What the new host's first process must do before it becomes systemd: a list of mounts and files, as data, so that it
// can be read and tested without root.
import { join } from 'node:path';
import * as z from 'zod';

export const BootPlan = z.object({
  name: z.string(),
  timezone: z.string(),
  /** The system that the host runs, below its own changes: this machine's, or a directory with another. */
  systemDir: z.string(),
  /** Working directory of this boot: the overlay's mount point. */
  bootDir: z.string(),
  /** The host's disk: kept across reboots and restarts of the stack. */
  diskDir: z.string(),
  /** Directories of the outer machine that the host sees empty: people's files, and the stack's own keys. */
  hiddenPaths: z.array(z.string()),
});
export type BootPlan = z.infer<typeof BootPlan>;

/** Directories of the host that live on its disk. */
export const DISK_PATHS = [
  '/var/lib/postgresql',
  '/etc/postgresql',
  '/opt/app',
  '/opt/lamplighter',
  '/opt/lamplighter-package',
  '/var/lib/lamplighter',
  '/etc/lamplighter',
  '/etc/nginx',
  '/var/log/journal',
  // Hides what the outer machine has enabled: the host starts its own units only.
  '/etc/systemd/system',
] as const;

const DEVICES = ['null', 'zero', 'full', 'random', 'urandom', 'tty'];

/** Units that make no sense on a host without hardware, logins or the internet. */
export const MASKED_UNITS = [
  'systemd-timesyncd.service',
  'systemd-resolved.service',
  'systemd-networkd.service',
  'systemd-logind.service',
  'systemd-udevd.service',
  'systemd-udev-trigger.service',
  'systemd-udevd-kernel.socket',
  'systemd-udevd-control.socket',
  'systemd-modules-load.service',
  'systemd-remount-fs.service',
  'systemd-binfmt.service',
  'systemd-sysctl.service',
  'systemd-firstboot.service',
  'systemd-machine-id-commit.service',
  'systemd-update-utmp.service',
  'proc-sys-fs-binfmt_misc.automount',
  'dev-hugepages.mount',
  'sys-kernel-debug.mount',
  'sys-kernel-tracing.mount',
  'sys-fs-fuse-connections.mount',
  'sys-kernel-config.mount',
  'getty.target',
  'console-getty.service',
  'ssh.service',
] as const;

/** Where the host's root is while it runs. */
export function rootOf(plan: BootPlan): string {
  return join(plan.bootDir, 'root');
}

/** Where the overlay's upper layer lies: on the disk, so that accounts and logs outlive a reboot. */
export function diskLayerOf(plan: BootPlan): string {
  return join(plan.diskDir, 'layer');
}

/** Where it lies when the disk's file system can't carry one (another overlay, as a container's root is): on a tmpfs. */
export function memoryLayerOf(plan: BootPlan): string {
  return join(plan.bootDir, 'layer');
}

/** The link to the system, in the layer's directory. The path itself may hold a comma, which ends an option of mount(8). */
export const LOWER_LINK = 'lower';

/** Arguments of mount(8) for the host's root, run in the layer's directory. */
export function overlayArguments(plan: BootPlan): string[] {
  const options = `lowerdir=${LOWER_LINK},upperdir=upper,workdir=work`;
  return ['-t', 'overlay', 'overlay', '-o', options, rootOf(plan)];
}

/** The mounts inside the root, in order, as arguments of mount(8). */
export function mountArguments(plan: BootPlan): string[][] {
  const root = rootOf(plan);
  const dev = join(root, 'dev');
  return [
    ['-t', 'proc', 'proc', join(root, 'proc')],
    ['-t', 'sysfs', '-o', 'ro', 'sysfs', join(root, 'sys')],
    ['-t', 'cgroup2', 'cgroup2', join(root, 'sys/fs/cgroup')],
    // A /dev of its own: what the host makes there (/dev/log, shared memory) must not appear outside.
    ['-t', 'tmpfs', '-o', 'mode=755', 'tmpfs', dev],
    ['-t', 'tmpfs', '-o', 'mode=755', 'tmpfs', join(root, 'run')],
    ...['tmp', 'var/tmp'].map((dir) => ['-t', 'tmpfs', '-o', 'mode=1777', 'tmpfs', join(root, dir)]),
  ];
}

/** Mounts below the fresh /dev and of the disk, once their mount points exist. */
export function laterMountArguments(plan: BootPlan): string[][] {
  const root = rootOf(plan);
  return [
    ...DEVICES.map((name) => ['--bind', `/dev/${name}`, join(root, 'dev', name)]),
    ['-t', 'devpts', '-o', 'newinstance,ptmxmode=0666,mode=620,gid=5', 'devpts', join(root, 'dev/pts')],
    ['-t', 'tmpfs', '-o', 'mode=1777', 'tmpfs', join(root, 'dev/shm')],
    ['-t', 'mqueue', 'mqueue', join(root, 'dev/mqueue')],
    ...DISK_PATHS.map((path) => ['--bind', join(plan.diskDir, path), join(root, path)]),
  ];
}

/** File with the new id of this boot, which is mounted over the kernel's. */
export function bootIdFileOf(plan: BootPlan): string {
  return join(plan.bootDir, 'boot-id');
}

/**
 * The kernel is shared with the outer machine: its settings are for reading only, as systemd-nspawn(1) does it. The
 * boot id is this host's own, so that its journal tells its boots apart.
 */
export function kernelMountArguments(plan: BootPlan, doesExist: (path: string) => boolean): string[][] {
  const root = rootOf(plan);
  // Not every kernel has the second.
  const readOnly = ['proc/sys', 'proc/sysrq-trigger'].map((path) => join(root, path)).filter(doesExist);
  return [
    ...readOnly.flatMap((path) => [
      ['--bind', path, path],
      ['-o', 'remount,bind,ro', path],
    ]),
    ['--bind', bootIdFileOf(plan), join(root, 'proc/sys/kernel/random/boot_id')],
  ];
}

/** Names of the device nodes to bind. */
export function deviceNames(): readonly string[] {
  return DEVICES;
}
