import { expect, test } from 'vitest';
import { INCIDENT_MOVES, type IncidentNews } from '#functions/incident/state.ts';
import { nextState } from '#functions/state-machine.ts';
import { IncidentState } from '#shared/states.ts';
import { cellsOf } from '#test/fixtures/state-table.ts';

const CELLS = cellsOf(`
               acknowledged calm
open           acknowledged resolved
acknowledged   -            resolved
resolved       -            -
`) as [IncidentState, IncidentNews, IncidentState | 'refused'][];

test.each(CELLS)('%s, then %s: %s', (state, news, after) => {
  expect(nextState(INCIDENT_MOVES, state, news)).toBe(after);
});

test('these are all states and all news', () => {
  expect(new Set(CELLS.map(([state]) => state))).toEqual(new Set(IncidentState.options));
  expect(new Set(CELLS.map(([, news]) => news))).toEqual(new Set(Object.keys(INCIDENT_MOVES)));
});
