import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { createBell } from '#shared/kit/bell.ts';

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

const open = new AbortController().signal;

/** Whether a wait has ended, without letting time pass. */
async function hasEnded(wait: Promise<void>): Promise<boolean> {
  let ended = false;
  void wait.then(() => {
    ended = true;
  });
  await vi.advanceTimersByTimeAsync(0);
  return ended;
}

test('a ring ends the wait', async () => {
  const bell = createBell();
  const wait = bell.wait(open);
  expect(await hasEnded(wait)).toBe(false);
  bell.ring();
  expect(await hasEnded(wait)).toBe(true);
});

test('a ring before the wait counts, once', async () => {
  const bell = createBell();
  bell.ring();
  bell.ring();
  expect(await hasEnded(bell.wait(open))).toBe(true);
  expect(await hasEnded(bell.wait(open))).toBe(false);
});

test('a wait ends after its time, and leaves no timer behind when it ends earlier', async () => {
  const bell = createBell();
  const wait = bell.wait(open, 1000);
  expect(await hasEnded(wait)).toBe(false);
  await vi.advanceTimersByTimeAsync(1000);
  expect(await hasEnded(wait)).toBe(true);
  const rung = bell.wait(open, 1000);
  bell.ring();
  expect(await hasEnded(rung)).toBe(true);
  expect(vi.getTimerCount()).toBe(0);
});

test('the signal ends the wait, also one that was aborted before', async () => {
  const bell = createBell();
  const stop = new AbortController();
  const wait = bell.wait(stop.signal, 1000);
  stop.abort();
  expect(await hasEnded(wait)).toBe(true);
  expect(await hasEnded(bell.wait(stop.signal))).toBe(true);
  expect(vi.getTimerCount()).toBe(0);
});
