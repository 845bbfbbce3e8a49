// `npm start` where no systemd can be booted: the same story on a supervised host, by somebody without any rights.
import { type ChildProcess, spawn } from 'node:child_process';
import { chownSync, mkdtempSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { findMissingPrograms } from '#local/demo/setup/programs.ts';
import { findFreePort } from '#local/ports.ts';
import { isLong } from '#test/fixtures/long.ts';
import { NOTHING, observeMachine } from '#test/fixtures/machine-state.ts';
import { followTree, type ProcessTree } from '#test/fixtures/process-tree.ts';

const MAIN = join(import.meta.dirname, '../../local/main.ts');
const NOBODY = 65_534;
const OTHERS_READ = 0o005;

/** Whether an account without rights can read the sources. */
function isOpen(dir: string): boolean {
  return dir === dirname(dir) || ((statSync(dir).mode & OTHERS_READ) === OTHERS_READ && isOpen(dirname(dir)));
}

const canDrop = process.getuid?.() === 0 && isOpen(dirname(MAIN)) && isOpen(dirname(process.execPath));
const who = canDrop ? 'nobody' : 'the account of the tests';
const missing = findMissingPrograms('supervised').map(({ debian }) => debian);
const homeDir = mkdtempSync(join(tmpdir(), 'lamplighter-supervised-'));
if (canDrop) chownSync(homeDir, NOBODY, NOBODY);
afterAll(() => rmSync(homeDir, { recursive: true, force: true }));

const observe = () => observeMachine(homeDir);
interface Started {
  child: ChildProcess;
  tree: ProcessTree;
  output(): string;
}

async function start(...args: string[]): Promise<Started> {
  const port = await findFreePort('127.0.0.1');
  const place = ['--supervised', '--home', homeDir, '--port', String(port), '--tick', '5'];
  const child = spawn(process.execPath, ['--disable-warning=ExperimentalWarning', MAIN, ...place, ...args], {
    stdio: ['ignore', 'pipe', 'pipe'],
    ...(canDrop ? { uid: NOBODY, gid: NOBODY } : {}),
  });
  let output = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream?.on('data', (chunk: Buffer) => {
      output += chunk.toString();
    });
  }
  return { child, tree: followTree(child.pid ?? 0), output: () => output };
}

describe.skipIf(missing.length > 0)(
  `npm start without systemd, by ${who} (missing: ${missing.join(', ')})`,
  () => {
    test('killed hard, it leaves no process and no port behind', async () => {
      const { child, tree, output } = await start('--plain');
      await expect.poll(output).toContain('Last backup');
      child.kill('SIGKILL');
      await expect.poll(tree.alive).toEqual([]);
      expect(observe()).toEqual(NOTHING);
    });

    test('starts again after that, says what it runs on, plays the whole tour, and leaves nothing behind', async () => {
      const { child, tree, output } = await start('--tour');
      const code = await new Promise((resolve) => child.once('exit', resolve));
      expect(code, output()).toBe(0);
      expect(output().split('\n')[0]).toMatch(/under a small supervisor, without systemd/);
      expect(output()).toMatch(/rows, checksum \S+ as before/);
      expect(output()).toContain('the tour is complete');
      expect(observe()).toEqual(NOTHING);
      expect(tree.alive()).toEqual([]);
    });

    // With systemd that is one of the usual tests.
    if (isLong)
      test('Ctrl-C ends it, and leaves nothing behind', async () => {
        const { child, tree, output } = await start('--plain');
        await expect.poll(output).toContain('Last backup');
        const ended = new Promise((resolve) => child.once('exit', resolve));
        child.kill('SIGINT');
        expect(await ended, output()).toBe(0);
        expect(observe()).toEqual(NOTHING);
        expect(tree.alive()).toEqual([]);
      });
  },
);
