import { describe, expect, test } from 'vitest';
import {
  COMMAND_MOVES,
  COMMAND_STAGES,
  type CommandNews,
  type CommandStage,
  isTaken,
  stageOf,
  storedStage,
} from '#functions/command/state.ts';
import { nextState } from '#functions/state-machine.ts';
import { CommandState, END_STATES } from '#shared/command/state.ts';
import { cellsOf } from '#test/fixtures/state-table.ts';

const CELLS = cellsOf(`
                published not-signed withdrawn lapsed fell-silent accepted progress never-begun agent-claims agent-end   agent-unknown runner-end   runner-unknown
requested       sent      unsigned   withdrawn lapsed -           accepted running  agent-ended -            agent-ended agent-unknown runner-ended runner-unknown
sent            -         -          -         lapsed -           accepted running  agent-ended -            agent-ended agent-unknown runner-ended runner-unknown
accepted        -         -          -         -      silent      -        running  agent-ended -            agent-ended agent-unknown runner-ended runner-unknown
running         -         -          -         -      silent      -        -        -           -            agent-ended agent-unknown runner-ended runner-unknown
lapsed          -         -          -         -      -           -        -        agent-ended -            agent-ended -             runner-ended -
silent          -         -          -         -      -           -        -        -           -            agent-ended -             runner-ended -
unsigned        -         -          -         -      -           -        -        agent-ended -            agent-ended -             runner-ended -
withdrawn       -         -          -         -      -           -        -        -           -            -           -             -            -
agent-unknown   -         -          -         -      -           -        -        -           -            agent-ended -             runner-ended runner-unknown
agent-ended     -         -          -         -      -           -        -        -           -            -           -             runner-ended runner-unknown
runner-unknown  -         -          -         -      -           -        -        -           -            agent-ended -             runner-ended -
runner-ended    -         -          -         -      -           -        -        -           -            -           -             -            -
`) as [CommandStage, CommandNews, CommandStage | 'refused'][];

test.each(CELLS)('%s, then %s: %s', (stage, news, after) => {
  expect(nextState(COMMAND_MOVES, stage, news)).toBe(after);
});

test('these are all stages and all news', () => {
  expect(new Set(CELLS.map(([stage]) => stage))).toEqual(new Set(COMMAND_STAGES));
  expect(new Set(CELLS.map(([, news]) => news))).toEqual(new Set(Object.keys(COMMAND_MOVES)));
});

describe('reports in any order', () => {
  test('with one end of the runner among the messages, that end stays', () => {
    // A small generator with a seed, so that a failure can be repeated.
    let seed = 20_261_123;
    const random = (below: number) => {
      seed = (seed * 1_103_515_245 + 12_345) % 2_147_483_648;
      return seed % below;
    };
    const others = [
      'published',
      'not-signed',
      'lapsed',
      'fell-silent',
      'accepted',
      'progress',
      'never-begun',
    ] as const;
    for (let round = 0; round < 2000; round++) {
      const messages: CommandNews[] = Array.from(
        { length: 1 + random(8) },
        () => others[random(others.length)]!,
      );
      messages.splice(random(messages.length + 1), 0, 'runner-end');
      const end = messages.reduce<CommandStage>((stage, news) => {
        const after = nextState(COMMAND_MOVES, stage, news);
        return after === 'refused' ? stage : after;
      }, 'requested');
      expect(end, messages.join(', ')).toBe('runner-ended');
    }
  });
});

describe('in the row', () => {
  test.each(COMMAND_STAGES)('%s is read back as it was written', (stage) => {
    const ends = stage.endsWith('ended') || stage === 'unsigned' ? ['failed', 'rejected'] : ['unknown'];
    for (const end of END_STATES.filter((state) => ends.includes(state))) {
      expect(stageOf(storedStage(stage, end))).toBe(stage);
    }
  });
});

test.each(CommandState.options)('%s is taken, or its host has not said so', (state) => {
  expect(isTaken(state)).toBe(state !== 'requested' && state !== 'sent');
});
