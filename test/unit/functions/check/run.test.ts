import { expect, test } from 'vitest';
import { dueBefore } from '#functions/check/run.ts';

const NOW = new Date('2026-11-23T10:00:00Z');

test.each([
  [60, false, 55],
  [60, true, 55],
  [10, false, 9],
  [3600, false, 3595],
  [3600, true, 55],
])('a check of every %i s (troubled: %s) is due after %i s', (everyS, isTroubled, afterS) => {
  expect((NOW.getTime() - dueBefore({ everyS }, isTroubled, NOW).getTime()) / 1000).toBe(afterS);
});
