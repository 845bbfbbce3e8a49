// memory.top: the largest processes, and the units that they belong to.
import { MAX_TOP, type MemoryTop, memoryTop } from '#shared/operations/memory.ts';
import {
  type HostProcess,
  nameAccounts,
  nameWithProgram,
  parseCount,
  readProc,
  readProcesses,
  readProgram,
  unitOf,
} from '../host/processes.ts';
import { redact } from '../host/redact.ts';
import { parseMemory } from '../vitals/vitals.ts';
import { defineRootRead } from './twin.ts';

const CGROUPS = '/sys/fs/cgroup';

type Unit = MemoryTop['units'][number];

function largest<T extends { residentBytes: number }>(entries: readonly T[]): T[] {
  return entries.toSorted((a, b) => b.residentBytes - a.residentBytes).slice(0, MAX_TOP);
}

function readBytes(path: string): number | null {
  const text = readProc(path)?.trim();
  return text !== undefined && /^\d+$/.test(text) ? Number(text) : null;
}

/** The unit's processes together, with the kernel's account of its control group where there is one. */
function unitFrom(unit: string, path: string, processes: readonly HostProcess[]): Unit {
  const dir = `${CGROUPS}${path}`;
  return {
    unit,
    processes: processes.length,
    residentBytes: processes.reduce((sum, { residentBytes }) => sum + residentBytes, 0),
    bytes: readBytes(`${dir}/memory.current`),
    peakBytes: readBytes(`${dir}/memory.peak`),
    oomKills: parseCount(readProc(`${dir}/memory.events`) ?? '', 'oom_kill'),
  };
}

function unitsOf(processes: readonly HostProcess[]): Unit[] {
  const byPath = Map.groupBy(processes, ({ cgroup }) => unitOf(cgroup)?.path);
  return [...byPath].flatMap(([path, members]) => {
    const unit = unitOf(path ?? '')?.unit;
    return path === undefined || unit === undefined ? [] : [unitFrom(unit, path, members)];
  });
}

export const twins = [
  defineRootRead(memoryTop, async () => {
    const all = readProcesses();
    const shown = largest(all);
    const names = await nameAccounts(shown.map(({ uid }) => uid));
    const meminfo = readProc('/proc/meminfo') ?? '';
    return {
      memory: {
        totalBytes: parseMemory(meminfo, 'MemTotal'),
        availableBytes: parseMemory(meminfo, 'MemAvailable'),
        swapTotalBytes: parseMemory(meminfo, 'SwapTotal'),
        swapFreeBytes: parseMemory(meminfo, 'SwapFree'),
      },
      oomKills: parseCount(readProc('/proc/vmstat') ?? '', 'oom_kill'),
      processes: shown.map(({ pid, name, uid, cgroup, residentBytes }) => ({
        pid,
        // A program may call itself whatever it likes.
        name: redact(nameWithProgram(name, readProgram(pid))),
        user: names.get(uid) ?? String(uid),
        unit: unitOf(cgroup)?.unit ?? null,
        residentBytes,
      })),
      units: largest(unitsOf(all)),
      processesInAll: all.length,
    };
  }),
];
