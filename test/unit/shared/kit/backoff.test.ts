import { expect, test } from 'vitest';
import { createBackoff, pauseMs } from '#shared/kit/backoff.ts';

test('pauses double up to the longest', () => {
  expect([1, 2, 3, 4, 2000].map((failures) => pauseMs(failures, 100, 350, 0))).toEqual([
    100, 200, 350, 350, 350,
  ]);
});

test('a pause is shortened by no more than a half', () => {
  expect([0, 0.5, 1].map((chance) => pauseMs(1, 100, 350, chance))).toEqual([100, 75, 50]);
});

test('a pause that is aborted ends at once', async () => {
  await createBackoff(3_600_000, 3_600_000).pause(AbortSignal.abort());
});
