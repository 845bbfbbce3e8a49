// What the agent costs a VM that does nothing: memory, processor, disk, and how exposed its units are; beside a Node
// process that does nothing at all.
import { readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Stack } from '#local/stack/stack.ts';
import { at, type Row, spreadOf } from './report.ts';
import { onStack } from './stack.ts';

const NODE = '/opt/lamplighter/bin/node';
const TICKS_PER_S = 100;

async function read(stack: Stack, ...argv: string[]): Promise<string> {
  return (await stack.machine.run(argv)).stdout;
}

async function memoryMiB(stack: Stack, pid: string): Promise<number> {
  const text = await read(stack, '/bin/cat', `/proc/${pid}/smaps_rollup`);
  return Number(/^Rss:\s+(\d+) kB/m.exec(text)?.[1] ?? Number.NaN) / 1024;
}

async function cpuTicks(stack: Stack, pid: string): Promise<number> {
  const text = await read(stack, '/bin/cat', `/proc/${pid}/stat`);
  const fields = text.slice(text.lastIndexOf(')') + 2).split(' ');
  return Number(fields[11]) + Number(fields[12]);
}

async function exposure(stack: Stack, unit: string): Promise<number> {
  const text = await read(stack, '/usr/bin/systemd-analyze', 'security', '--no-pager', unit);
  return Number(/Overall exposure level for \S+: ([\d.]+)/.exec(text)?.[1] ?? Number.NaN);
}

function sizeMiB(dir: string): number {
  const bytes = readdirSync(dir, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .reduce((sum, entry) => sum + statSync(join(entry.parentPath, entry.name)).size, 0);
  return bytes / 2 ** 20;
}

/** The rows of `npm run bench -- agent`. */
export function benchAgent(isQuick: boolean): Promise<Row[]> {
  return onStack(async (stack) => {
    const idle = stack.machine.spawn([
      NODE,
      '-e',
      'setInterval(() => undefined, 1e6); console.log(process.pid)',
    ]);
    const idlePid = await new Promise<string>((resolve) =>
      idle.stdout?.once('data', (data: Buffer) => resolve(data.toString().trim())),
    );
    const pid = (
      await read(
        stack,
        '/bin/systemctl',
        'show',
        '--value',
        '--property=MainPID',
        'lamplighter-agent.service',
      )
    ).trim();
    await sleep(isQuick ? 10_000 : 60_000);
    const seconds = isQuick ? 10 : 120;
    const before = await cpuTicks(stack, pid);
    await sleep(seconds * 1000);
    const cpu = ((await cpuTicks(stack, pid)) - before) / TICKS_PER_S / seconds;
    const memory = [await memoryMiB(stack, pid)];
    const besideMemory = [await memoryMiB(stack, idlePid)];
    idle.kill('SIGKILL');
    const bare = 'a Node process that only waits';
    return [
      {
        measure: 'resident memory, idle',
        unit: 'MiB',
        ours: spreadOf(memory),
        beside: spreadOf(besideMemory),
        besideName: bare,
        goal: 150,
      },
      {
        measure: 'processor, idle',
        unit: '% of a core',
        ours: at(cpu * 100),
        beside: null,
        besideName: '',
        goal: 1,
      },
      {
        measure: 'bundles',
        unit: 'MiB',
        ours: at(sizeMiB(join(import.meta.dirname, '../../dist/agent/lib'))),
        beside: null,
        besideName: '',
        goal: 20,
      },
      {
        measure: 'exposure, lamplighter-agent.service',
        unit: 'score',
        ours: at(await exposure(stack, 'lamplighter-agent.service')),
        beside: at(await exposure(stack, 'app-web.service')),
        besideName: 'app-web.service',
        goal: 2,
      },
      {
        measure: 'exposure, lamplighter-run@.service',
        unit: 'score',
        ours: at(await exposure(stack, 'lamplighter-run@x.service')),
        beside: null,
        besideName: '',
        goal: 5,
      },
    ];
  });
}
