// A stack to measure on: real durability (fsync on), the agent's archive, the functions' sources.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { buildAgent } from '#agent/build.ts';
import { findFreePort } from '#local/ports.ts';
import { type Stack, startStack } from '#local/stack/stack.ts';

const ROOT = join(import.meta.dirname, '../..');

/** Runs `work` on a fresh stack and removes it afterwards. */
export async function onStack<T>(work: (stack: Stack) => Promise<T>): Promise<T> {
  const homeDir = mkdtempSync(join(tmpdir(), 'lamplighter-bench-'));
  const agentDir = join(ROOT, 'dist/agent');
  await buildAgent(agentDir);
  const stack = await startStack({
    homeDir,
    apiPort: await findFreePort('127.0.0.1'),
    tickMs: 60_000,
    functionsSource: join(ROOT, 'functions/index.ts'),
    agentDir,
    onStep: () => undefined,
    onTrouble: (text) => console.error(text),
  });
  try {
    return await work(stack);
  } finally {
    await stack.close();
    rmSync(homeDir, { recursive: true, force: true });
  }
}

/** Milliseconds of some work. */
export async function timeMs(work: () => Promise<unknown>): Promise<number> {
  const began = performance.now();
  await work();
  return performance.now() - began;
}
