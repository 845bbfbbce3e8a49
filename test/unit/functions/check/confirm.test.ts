import { expect, test } from 'vitest';
import { judge, type Standing } from '#functions/check/confirm.ts';
import type { Verdict } from '#functions/check/kinds/verdict.ts';

const TERMS = { failureThreshold: 3, successThreshold: 2 };

/** g, b and u stand for good, bad and unknown. */
const VERDICTS: Record<string, Verdict> = { g: 'good', b: 'bad', u: 'unknown' };

function after(state: Standing['state'], letters: string) {
  let current = { state, streak: 0, isSettled: false };
  for (const letter of letters) current = judge(current, VERDICTS[letter]!, TERMS);
  return current;
}

test.each([
  ['unknown', 'g', 'passing', 0, true],
  ['unknown', 'b', 'unknown', 1, false],
  ['unknown', 'bb', 'unknown', 2, false],
  ['unknown', 'bbb', 'failing', 0, true],
  ['unknown', 'bbg', 'passing', 0, true],
  ['passing', 'g', 'passing', 0, true],
  ['passing', 'bbb', 'failing', 0, true],
  ['passing', 'bbgbb', 'passing', 2, false],
  ['failing', 'b', 'failing', 0, true],
  ['failing', 'g', 'failing', 1, false],
  ['failing', 'gg', 'passing', 0, true],
  ['failing', 'gbg', 'failing', 1, false],
  ['passing', 'u', 'passing', 0, true],
  ['passing', 'bbu', 'passing', 2, true],
  ['failing', 'gu', 'failing', 1, true],
] as const)('from %s, %s leads to %s', (from, letters, state, streak, isSettled) => {
  expect(after(from, letters)).toEqual({ state, streak, isSettled });
});
