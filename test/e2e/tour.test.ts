// The whole story, as a new user starts it: `npm start -- --tour` as a process of its own, from the sources.
import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { detectCapabilities } from '#local/demo/setup/capabilities.ts';
import { findFreePort } from '#local/ports.ts';
import { isLong } from '#test/fixtures/long.ts';
import { NOTHING, observeMachine } from '#test/fixtures/machine-state.ts';
import { followTree, type ProcessTree } from '#test/fixtures/process-tree.ts';
import { whySkipped } from '#test/fixtures/skip-reason.ts';

const MAIN = join(import.meta.dirname, '../../local/main.ts');
const { systemdHost } = detectCapabilities();
const homeDir = mkdtempSync(join(tmpdir(), 'lamplighter-tour-'));

afterAll(() => rmSync(homeDir, { recursive: true, force: true }));

const observe = () => observeMachine(homeDir, join(homeDir, 'host'));

interface Ended {
  code: number | null;
  output: string;
  tree: ProcessTree;
}

async function run(
  args: string[],
  onOutput: (text: string, child: ChildProcess) => void = () => undefined,
): Promise<Ended> {
  const port = await findFreePort('127.0.0.1');
  const child = spawn(
    process.execPath,
    [MAIN, '--home', homeDir, '--port', String(port), '--tick', '5', ...args],
    {
      stdio: ['ignore', 'pipe', 'pipe'],
    },
  );
  const tree = followTree(child.pid ?? 0);
  let output = '';
  const collect = (chunk: Buffer): void => {
    output += chunk.toString();
    onOutput(output, child);
  };
  child.stdout.on('data', collect);
  child.stderr.on('data', collect);
  const code = await new Promise<number | null>((resolve) => child.once('exit', resolve));
  return { code, output, tree };
}

describe.skipIf(systemdHost !== true)(`npm start${whySkipped(systemdHost)}`, () => {
  test('plays the whole tour, exits 0 and leaves nothing behind', async () => {
    const { code, output, tree } = await run(['--tour']);
    expect(code, output).toBe(0);
    expect(output).toMatch(/incident INC-\d+: P1/);
    expect(output).toMatch(/rows, checksum \S+ as before/);
    expect(output).toContain('the tour is complete');
    expect(observe()).toEqual(NOTHING);
    expect(tree.alive()).toEqual([]);
  });

  test('refuses to start twice, says where the first runs, and keeps state after Ctrl-C', async () => {
    let second: Promise<Ended> | undefined;
    let interrupted = false;
    const child = { pid: 0 };
    const first = run(['--plain'], (output) => {
      if (second || !output.includes('Last backup')) return;
      child.pid = Number(/process (\d+)/.exec(output)?.[1] ?? 0);
      second = run(['--plain']).then(async (outcome) => {
        const pid = Number(/process (\d+)/.exec(outcome.output)?.[1]);
        interrupted = process.kill(pid, 'SIGINT');
        return outcome;
      });
    });
    const { output, tree } = await first;
    const refused = await second;
    expect(interrupted).toBe(true);
    expect(refused?.code).toBe(1);
    expect(refused?.output).toMatch(/already runs at http:\/\/127\.0\.0\.1:\d+ \(process \d+\)/);
    // The backup that the tour took is still known: state is kept between runs.
    expect(output).toMatch(/\d{8}T\d{6}Z-[0-9a-f]{6}/);
    expect(observe()).toEqual(NOTHING);
    expect(tree.alive()).toEqual([]);
  });

  // Each part of this is shown elsewhere: the host whose owner is killed, and the stack without systemd that is.
  if (isLong)
    test('killed hard, it leaves nothing behind either', async () => {
      const { output, tree } = await run(['--plain'], (text, child) => {
        if (text.includes('Last backup')) child.kill('SIGKILL');
      });
      expect(output).toContain('Last backup');
      await expect.poll(observe).toEqual(NOTHING);
      await expect.poll(tree.alive).toEqual([]);
    });
});
