// The host's vitals: load, memory, disks, and the units that its policy names. Everything comes from /proc, statfs and one call
// of systemctl.
import { existsSync, readFileSync } from 'node:fs';
import { freemem, loadavg, totalmem, uptime } from 'node:os';
import type { Vitals } from '#shared/command/report.ts';
import { askRoom } from '#shared/kit/disk-room.ts';
import { onHost } from '../config/paths.ts';
import { readUnits } from '../host/unit-status.ts';

/** Bytes of a field of /proc/meminfo, which counts in KiB. */
export function parseMemory(text: string, field: string): number {
  const kib = new RegExp(`^${field}:\\s+(\\d+) kB$`, 'm').exec(text)?.[1];
  return Number(kib ?? 0) * 1024;
}

function readBootId(): string {
  return readFileSync(onHost('/proc/sys/kernel/random/boot_id'), 'utf8').trim();
}

/** The kernel's own account; Node's where there is no /proc (macOS). */
function readMemory(): Vitals['memory'] {
  if (!existsSync('/proc/meminfo')) return { totalBytes: totalmem(), availableBytes: freemem() };
  const text = readFileSync('/proc/meminfo', 'utf8');
  return { totalBytes: parseMemory(text, 'MemTotal'), availableBytes: parseMemory(text, 'MemAvailable') };
}

function readMounts(): string[] {
  const file = '/proc/self/mountinfo';
  return existsSync(file) ? parseMounts(readFileSync(file, 'utf8')) : ['/'];
}

const DISK_TYPES = new Set(['ext2', 'ext3', 'ext4', 'xfs', 'btrfs', 'f2fs', 'zfs', 'bcachefs']);
const MAX_DISKS = 16;

/**
 * Mount points of real disks from /proc/self/mountinfo (proc_pid_mountinfo(5)): the root and, of each other device, the
 * shortest, since a sandbox shows the same disk many times.
 */
export function parseMounts(mountinfo: string): string[] {
  const byDevice = new Map<string, string>();
  for (const line of mountinfo.split('\n')) {
    const [, , device = '', , mount = '', ...rest] = line.split(' ');
    const type = rest[rest.indexOf('-') + 1] ?? '';
    if (mount !== '/' && !DISK_TYPES.has(type)) continue;
    const known = byDevice.get(device);
    if (known === undefined || mount.length < known.length) byDevice.set(device, unescapeMount(mount));
  }
  const others = [...byDevice.values()].filter((mount) => mount !== '/').toSorted();
  return ['/', ...others].slice(0, MAX_DISKS);
}

/** Space, tab, newline and backslash are written as octal numbers. */
function unescapeMount(mount: string): string {
  return mount.replace(/\\([0-7]{3})/g, (_match, octal: string) =>
    String.fromCharCode(Number.parseInt(octal, 8)),
  );
}

/** Reads the host's vitals; a unit or mount that can't be read is left out. */
export async function readVitals(units: readonly string[]): Promise<Vitals> {
  const disks = await Promise.all(
    readMounts().map((mount) =>
      askRoom(mount).then(
        (room) => ({ mount, ...room }),
        () => undefined,
      ),
    ),
  );
  const [one = 0, five = 0, fifteen = 0] = loadavg();
  return {
    bootId: readBootId(),
    uptimeS: uptime(),
    load: [one, five, fifteen],
    memory: readMemory(),
    disks: disks.filter((disk) => disk !== undefined),
    units: await readUnits(units).catch(() => []),
  };
}
