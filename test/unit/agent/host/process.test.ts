import { expect, test } from 'vitest';
import { runChecked, runProgram } from '#agent/host/process.ts';

const shell = (script: string, change = {}) => ({
  file: '/bin/sh',
  args: ['-c', script],
  timeoutMs: 5000,
  ...change,
});

test('answers what the program said and how it ended', async () => {
  expect(await runProgram(shell('echo out; echo err >&2; exit 3'))).toEqual({
    code: 3,
    stdout: 'out\n',
    stderr: 'err\n',
    isTimedOut: false,
  });
});

test('gives the program nothing of our own environment', async () => {
  process.env.LAMPLIGHTER_TEST_SECRET = 'hunter2';
  const { stdout } = await runProgram({
    file: '/usr/bin/env',
    args: [],
    timeoutMs: 5000,
    env: { MINE: '1' },
  });
  delete process.env.LAMPLIGHTER_TEST_SECRET;
  expect(stdout).toContain('MINE=1');
  expect(stdout).not.toContain('hunter2');
});

test('passes input, also to a program that does not read it', async () => {
  expect((await runProgram({ ...shell('cat'), input: 'hello' })).stdout).toBe('hello');
  expect((await runProgram({ ...shell('exit 0'), input: 'x'.repeat(1_000_000) })).code).toBe(0);
});

test('keeps only so much output', async () => {
  const { stdout } = await runProgram(shell('yes | head -c 100000', { maxOutputBytes: 1000 }));
  expect(stdout).toHaveLength(1000);
  const long = await runProgram(shell('yes hunter2 | head -c 100000', { maxOutputBytes: 1001 }));
  expect(long.stdout).toBe('hunter2\n'.repeat(125));
});

test.each([
  ['relative', 'sh', 'not an absolute path'],
  ['missing', '/nowhere/sh', 'ENOENT'],
])('a %s program is not started', async (_name, file, cause) => {
  await expect(async () => await runProgram({ file, args: [], timeoutMs: 1000 })).rejects.toThrow(cause);
});

test('ends a program that takes too long, or is no longer wanted', async () => {
  expect(await runProgram(shell('exec sleep 30', { timeoutMs: 50 }))).toMatchObject({ isTimedOut: true });
  const stop = new AbortController();
  setTimeout(() => stop.abort(), 50);
  await expect(runChecked(shell('exec sleep 30', { signal: stop.signal }))).rejects.toMatchObject({
    code: 'timed-out',
  });
});

test('does not start a program whose command was stopped before', async () => {
  const began = performance.now();
  await expect(runChecked(shell('exec sleep 3', { signal: AbortSignal.abort() }))).rejects.toMatchObject({
    code: 'timed-out',
  });
  expect(performance.now() - began).toBeLessThan(1500);
});

test('a failure tells the last words', async () => {
  await expect(runChecked(shell('echo it is broken >&2; exit 4'))).rejects.toThrow(
    'run sh: exit 4: it is broken',
  );
});
