import { expect, test } from 'vitest';
import {
  VERIFICATION_MOVES,
  VERIFICATION_STATES,
  type VerificationNews,
  type VerificationState,
} from '#functions/backup/state.ts';
import { nextState } from '#functions/state-machine.ts';
import { cellsOf } from '#test/fixtures/state-table.ts';

const CELLS = cellsOf(`
            ordered found-intact found-verified found-corrupt
due         -       intact       verified       corrupt
intact      due     -            -              -
verified    due     -            -              -
corrupt     due     -            -              -
`) as [VerificationState, VerificationNews, VerificationState | 'refused'][];

test.each(CELLS)('%s, then %s: %s', (state, news, after) => {
  expect(nextState(VERIFICATION_MOVES, state, news)).toBe(after);
});

test('these are all states and all news', () => {
  expect(new Set(CELLS.map(([state]) => state))).toEqual(new Set(VERIFICATION_STATES));
  expect(new Set(CELLS.map(([, news]) => news))).toEqual(new Set(Object.keys(VERIFICATION_MOVES)));
});
