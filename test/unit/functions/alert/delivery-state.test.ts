import { expect, test } from 'vitest';
import { DELIVERY_MOVES, type DeliveryNews } from '#functions/alert/delivery-state.ts';
import { nextState } from '#functions/state-machine.ts';
import { DeliveryState } from '#shared/states.ts';
import { cellsOf } from '#test/fixtures/state-table.ts';

const CELLS = cellsOf(`
            attempted handed-over delivered given-up retried lost
pending     pending   sent        delivered failed   -       -
sent        -         -           delivered -        pending failed
delivered   -         -           -         -        -       -
failed      -         -           delivered -        -       -
`) as [DeliveryState, DeliveryNews, DeliveryState | 'refused'][];

test.each(CELLS)('%s, then %s: %s', (state, news, after) => {
  expect(nextState(DELIVERY_MOVES, state, news)).toBe(after);
});

test('these are all states and all news', () => {
  expect(new Set(CELLS.map(([state]) => state))).toEqual(new Set(DeliveryState.options));
  expect(new Set(CELLS.map(([, news]) => news))).toEqual(new Set(Object.keys(DELIVERY_MOVES)));
});
