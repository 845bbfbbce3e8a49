import { expect, test } from 'vitest';
import { advanceState, CommandState, isEndReplaced, isFinal, isSettled } from '#shared/command/state.ts';

const FORWARD: CommandState[] = ['requested', 'awaiting-approval', 'sent', 'accepted', 'running', 'unknown'];
const FINAL: CommandState[] = ['succeeded', 'failed', 'timed-out', 'expired', 'rejected', 'cancelled'];

test('these are all states', () => {
  expect(new Set([...FORWARD, ...FINAL])).toEqual(new Set(CommandState.options));
});

const pairs = CommandState.options.flatMap((current) =>
  CommandState.options.map((reported) => [current, reported] as const),
);
test.each(pairs)('%s, then %s', (current, reported) => {
  const after = advanceState(current, reported);
  expect([current, reported]).toContain(after);
  if (FINAL.includes(current)) expect(after).toBe(current);
  else if (FINAL.includes(reported)) expect(after).toBe(reported);
  else expect(after).toBe(FORWARD[Math.max(FORWARD.indexOf(current), FORWARD.indexOf(reported))]);
});

test('final and settled', () => {
  for (const state of CommandState.options) {
    expect(isFinal(state)).toBe(FINAL.includes(state));
    expect(isSettled(state)).toBe(FINAL.includes(state) || state === 'unknown');
  }
});

test('with one final state among the messages, any order of them ends there', () => {
  // A small generator of our own, so that a failure can be played again.
  let seed = 20_261_123;
  const random = (below: number) => {
    seed = (seed * 1_103_515_245 + 12_345) % 2_147_483_648;
    return seed % below;
  };
  for (let round = 0; round < 2000; round++) {
    const end = FINAL[random(FINAL.length)]!;
    const messages = Array.from({ length: 1 + random(8) }, () => FORWARD[random(FORWARD.length)]!);
    messages.splice(random(messages.length + 1), 0, end);
    expect(messages.reduce(advanceState, 'requested')).toBe(end);
  }
});

test.each(
  CommandState.options.flatMap((state) =>
    ([null, 'agent', 'runner'] as const).flatMap((endedBy) =>
      ([null, 'agent', 'runner'] as const).map((signer) => [state, endedBy, signer] as const),
    ),
  ),
)('%s by %s, then an end by %s', (state, endedBy, signer) => {
  const isException = isSettled(state) && endedBy === 'agent' && signer === 'runner';
  expect(isEndReplaced({ state, endedBy }, signer)).toBe(isException);
});
