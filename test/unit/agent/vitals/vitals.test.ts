import { expect, test } from 'vitest';
import { parseMemory, parseMounts, readVitals } from '#agent/vitals/vitals.ts';
import { Vitals } from '#shared/command/report.ts';

// /proc/self/mountinfo of a sandboxed unit: the root twice, one data disk under two names, and mounts that are no disks.
const MOUNTINFO = `22 1 8:1 / / ro,relatime shared:1 - ext4 /dev/sda1 rw
23 22 0:21 / /proc rw,nosuid - proc proc rw
24 22 0:5 / /dev rw - devtmpfs udev rw
25 22 8:1 /var/lib/x /var/lib/x rw,relatime - ext4 /dev/sda1 rw
26 22 8:17 /deep /srv/data/deep rw - xfs /dev/sdb1 rw
27 22 8:17 / /srv/data rw master:4 - xfs /dev/sdb1 rw
28 22 0:40 / /run tmpfs - tmpfs tmpfs rw
29 22 8:33 / /mnt/my\\040disk rw shared:9 master:2 - ext4 /dev/sdc1 rw
30 22 0:99 / /var/lib/docker/overlay2/a/merged rw - overlay overlay rw
`;

test('each disk once, under its shortest name, the root first', () => {
  expect(parseMounts(MOUNTINFO)).toEqual(['/', '/mnt/my disk', '/srv/data']);
});

test('the root of an overlay counts too', () => {
  expect(parseMounts('1 0 0:30 / / rw - overlay overlay rw\n')).toEqual(['/']);
  expect(parseMounts('')).toEqual(['/']);
});

test('memory is counted in bytes; what is missing is zero', () => {
  const text = 'MemTotal:       16384 kB\nMemAvailable:    1024 kB\n';
  expect(parseMemory(text, 'MemTotal')).toBe(16_777_216);
  expect(parseMemory(text, 'MemFree')).toBe(0);
});

test('this machine has vitals in the shape of a heartbeat, with or without systemd', async () => {
  const vitals = await readVitals(['nowhere.service']);
  expect(Vitals.parse(vitals).memory.totalBytes).toBeGreaterThan(0);
  expect(vitals.disks[0]?.mount).toBe('/');
});
