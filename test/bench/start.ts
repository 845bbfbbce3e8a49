// What a first request to a cold function waits for: the framework's start and then ours. Compared with the smallest possible
// function on the same framework, in turns within one run.
// The goal is 1.2 times hello world and is not reached: 1.2 to 1.45 times its CPU (2026-11-26, in turns on a busy machine).
// docs/adr/20261126-cold-starts.md says what the rest is made of.
import { type ChildProcess, spawn } from 'node:child_process';
import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { buildFunctions } from '#build/functions.ts';
import { findFreePort } from '#local/ports.ts';
import { ENTRY_POINTS, type EntryPoint } from '#shared/topology.ts';
import { NOBODY_THERE } from '#test/fixtures/deployed-function.ts';
import { type Row, spreadOf } from './report.ts';

/** Times hello world. */
const GOAL = 1.2;
const ROOT = join(import.meta.dirname, '../..');
const FRAMEWORK = join(
  dirname(createRequire(import.meta.url).resolve('@google-cloud/functions-framework')),
  'main.js',
);
const HELLO = `import { http } from '@google-cloud/functions-framework';\nhttp('hello', (_req, res) => res.send('hello'));\n`;

interface Start {
  ms: number;
  /** Of all threads of the process, which says more than the time on a machine that is busy. */
  cpuMs: number;
}

async function start(target: string, dir: string): Promise<Start> {
  const port = await findFreePort('127.0.0.1');
  const began = performance.now();
  const args = [FRAMEWORK, `--target=${target}`, `--source=${join(dir, 'index.js')}`, `--port=${port}`];
  const env = {
    ...NOBODY_THERE,
    GOOGLE_CLOUD_PROJECT: 'bench',
    PATH: '/usr/bin:/bin',
    HOME: '/nonexistent',
    NODE_ENV: 'production',
  };
  const child = spawn(process.execPath, args, { env, stdio: 'ignore' });
  try {
    const ms = await answered(child, `http://127.0.0.1:${port}/v1/health`, began);
    return { ms, cpuMs: cpuMsOf(child) };
  } finally {
    child.kill('SIGKILL');
  }
}

/** The kernel keeps a thread's time on a processor in nanoseconds, first in this file. */
function cpuMsOf({ pid }: ChildProcess): number {
  const tasks = `/proc/${pid}/task`;
  const nanoseconds = readdirSync(tasks).map((id) =>
    Number(readFileSync(join(tasks, id, 'schedstat'), 'utf8').split(' ')[0]),
  );
  return nanoseconds.reduce((sum, each) => sum + each, 0) / 1e6;
}

async function answered(child: ChildProcess, url: string, began: number): Promise<number> {
  while (child.exitCode === null) {
    const response = await fetch(url, { method: 'GET' }).catch(() => undefined);
    if (response) {
      await response.arrayBuffer();
      return performance.now() - began;
    }
    await sleep(2);
  }
  throw new Error(`${child.spawnargs.join(' ')} ended with ${child.exitCode}`);
}

/** The rows of `npm run bench -- start`. */
export async function benchStart(isQuick: boolean): Promise<Row[]> {
  const dir = join(ROOT, 'dist/bench-start');
  await buildFunctions(dir);
  const helloDir = join(dir, 'hello');
  mkdirSync(helloDir);
  writeFileSync(join(helloDir, 'index.js'), HELLO);
  writeFileSync(join(helloDir, 'package.json'), '{ "type": "module" }\n');
  try {
    const rows: Row[] = [];
    for (const entryPoint of ENTRY_POINTS)
      rows.push(...(await benchEntryPoint(entryPoint, dir, helloDir, isQuick)));
    return rows;
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
}

async function benchEntryPoint(
  { name }: EntryPoint,
  dir: string,
  helloDir: string,
  isQuick: boolean,
): Promise<Row[]> {
  const ours: Start[] = [];
  const beside: Start[] = [];
  for (let round = 0; round < (isQuick ? 5 : 15); round++) {
    beside.push(await start('hello', helloDir));
    ours.push(await start(name, dir));
  }
  return [
    row(`cold start of ${name}`, 'ms', ours, beside),
    row(`CPU of that, ${name}`, 'cpuMs', ours, beside),
  ];
}

function row(measure: string, figure: keyof Start, ours: Start[], beside: Start[]): Row {
  const hello = spreadOf(beside.map((each) => each[figure]));
  return {
    measure,
    unit: 'ms',
    ours: spreadOf(ours.map((each) => each[figure])),
    beside: hello,
    besideName: 'hello world',
    goal: Math.round(GOAL * hello.median),
  };
}
