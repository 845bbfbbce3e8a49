import { expect, test } from 'vitest';
import { CommandState, isFinal, isSettled } from '#shared/command/state.ts';

test.each([
  ['requested', false, false],
  ['sent', false, false],
  ['accepted', false, false],
  ['running', false, false],
  ['unknown', true, false],
  ['succeeded', true, true],
  ['failed', true, true],
  ['timed-out', true, true],
  ['expired', true, true],
  ['rejected', true, true],
  ['cancelled', true, true],
] as const)('%s: settled %s, final %s', (state, settled, final) => {
  expect([isSettled(state), isFinal(state)]).toEqual([settled, final]);
});

test('these are all states', () => {
  expect(CommandState.options).toHaveLength(11);
});
