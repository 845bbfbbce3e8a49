import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { expect, test } from 'vitest';
import { isProcessThere, MIN_GAP_MS, watchUnitEnds } from '#agent/vitals/unit-ends.ts';

function makeWatch() {
  const alive = new Set([10, 20]);
  let nowMs = 0;
  const watch = watchUnitEnds({ isThere: (pid) => alive.has(pid), monotonicMs: () => nowMs });
  return { watch, alive, pass: (ms: number) => void (nowMs += ms) };
}
const unitsOf = (...pids: number[]) => pids.map((mainPid) => ({ mainPid }));

test('an end calls for a heartbeat, once it is told for none', () => {
  const { watch, alive, pass } = makeWatch();
  expect(watch.isHeartbeatDue()).toBe(false);
  watch.told(unitsOf(10, 20, 0));
  expect(watch.isHeartbeatDue()).toBe(false);
  alive.delete(20);
  expect(watch.isHeartbeatDue()).toBe(true);
  watch.told(unitsOf(10, 0, 0));
  pass(MIN_GAP_MS);
  expect(watch.isHeartbeatDue()).toBe(false);
});

test('a unit that ends every second calls for one heartbeat in ten', () => {
  const { watch, alive, pass } = makeWatch();
  let sent = 0;
  for (let second = 0; second < 60; second += 1) {
    const pid = 100 + second;
    alive.add(pid);
    watch.told(unitsOf(pid));
    alive.delete(pid);
    if (watch.isHeartbeatDue()) sent += 1;
    pass(1000);
  }
  expect(sent).toBe(6);
});

test('an end within the gap is told after it, and so is one whose heartbeat was lost', () => {
  const { watch, alive, pass } = makeWatch();
  watch.told(unitsOf(10, 20));
  alive.delete(10);
  expect(watch.isHeartbeatDue()).toBe(true);
  pass(MIN_GAP_MS - 1);
  expect(watch.isHeartbeatDue()).toBe(false);
  pass(1);
  expect(watch.isHeartbeatDue()).toBe(true);
});

test('a process is there until it has ended', async () => {
  const child = spawn(process.execPath, ['-e', 'process.stdin.resume()'], {
    stdio: ['pipe', 'ignore', 'ignore'],
  });
  expect(isProcessThere(child.pid!)).toBe(true);
  child.kill('SIGKILL');
  await once(child, 'exit');
  expect(isProcessThere(child.pid!)).toBe(false);
});
