import { describe, expect, test } from 'vitest';
import { type Confirmation, judge, TROUBLED_STATES } from '#functions/check/confirm.ts';
import type { Verdict } from '#functions/check/kinds/look-result.ts';
import { CheckState } from '#shared/states.ts';
import { cellsOf } from '#test/fixtures/state-table.ts';

const TERMS = { failureThreshold: 3, successThreshold: 2 };

/** `passing+2`: passing, with two verdicts against it; `unknown/passing`: was confirmed as passing, and cannot be judged now. */
function parse(text: string): Confirmation {
  const [, state, confirmed = state, streak = '0'] = /^(\w+)(?:\/(\w+))?(?:\+(\d))?$/.exec(text) ?? [];
  return {
    state: CheckState.parse(state),
    confirmed: confirmed === 'passing' || confirmed === 'failing' ? confirmed : null,
    streak: Number(streak),
  };
}

describe('each state with each verdict', () => {
  const cells = cellsOf(`
                      good       bad        unknown
    unknown           passing    unknown+1  unknown
    unknown+1         passing    unknown+2  unknown+1
    unknown+2         passing    failing    unknown+2
    passing           passing    passing+1  unknown/passing
    passing+1         passing    passing+2  unknown/passing+1
    passing+2         passing    failing    unknown/passing+2
    failing           failing+1  failing    unknown/failing
    failing+1         passing    failing    unknown/failing+1
    unknown/passing   passing    passing+1  unknown/passing
    unknown/passing+1 passing    passing+2  unknown/passing+1
    unknown/passing+2 passing    failing    unknown/passing+2
    unknown/failing   failing+1  failing    unknown/failing
    unknown/failing+1 passing    failing    unknown/failing+1
  `) as [string, Verdict, string][];

  test.each(cells)('%s, then %s: %s', (before, verdict, after) => {
    const { isDecided, ...held } = judge(parse(before), verdict, TERMS);
    expect(held).toEqual(parse(after));
    // A second look helps where the verdict differs from the confirmed state and the watcher is not blind.
    expect(isDecided).toBe(verdict === 'unknown' || held.streak === 0);
  });

  test('with thresholds of one, one verdict is enough', () => {
    const terms = { failureThreshold: 1, successThreshold: 1 };
    expect(judge(parse('passing'), 'bad', terms)).toEqual({ ...parse('failing'), isDecided: true });
    expect(judge(parse('unknown/failing'), 'good', terms)).toEqual({ ...parse('passing'), isDecided: true });
  });
});

test('all but passing checks are looked at again soon', () => {
  expect([...TROUBLED_STATES, 'passing'].toSorted()).toEqual(CheckState.options.toSorted());
});
