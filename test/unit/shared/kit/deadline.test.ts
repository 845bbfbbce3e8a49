import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { createBudget, withinMs } from '#shared/kit/deadline.ts';

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

test('work that ends in time gives its outcome, and leaves no timer behind', async () => {
  expect(await withinMs(1000, Promise.resolve('done'))).toBe('done');
  await expect(withinMs(1000, Promise.reject(new Error('broken')))).rejects.toThrow('broken');
  expect(vi.getTimerCount()).toBe(0);
});

test('work that takes longer is timed out', async () => {
  const outcome = withinMs(1000, new Promise(() => undefined)).catch((error: unknown) => error);
  await vi.advanceTimersByTimeAsync(1000);
  expect(await outcome).toMatchObject({ code: 'timed-out', message: 'not done within 1000 ms' });
});

test('a budget counts down by the clock that it is given', () => {
  let nowMs = 5000;
  const budget = createBudget(1000, () => nowMs);
  expect(budget.remainingMs()).toBe(1000);
  nowMs += 1500;
  expect(budget.remainingMs()).toBe(-500);
});
