// Moves a command on, as its state machine says (state.ts), and tells those who wait for it.
import type { OutcomeCode, StepRecord } from '#shared/command/report.ts';
import { type CommandState, type EndState, isSettled } from '#shared/command/state.ts';
import { nextState } from '../state-machine.ts';
import { addStateEvent, releaseSteps } from '../store/command-events.ts';
import { announceCommand, type CommandRecord, writeStage } from '../store/commands.ts';
import type { Queryable } from '../store/database.ts';
import { COMMAND_MOVES, type CommandNews, stageOf, storedStage } from './state.ts';

export interface Advance {
  news: CommandNews;
  at: Date;
  /** How the command ended, for news of an end. */
  end?: EndState;
  code?: OutcomeCode | undefined;
  message?: string | undefined;
  /** What the operator does next. */
  hint?: string | undefined;
  result?: unknown;
  steps?: readonly StepRecord[] | undefined;
  output?: readonly string[] | undefined;
}

/** Moves a locked command on and gives its new state; `refused` when the news does not count in its stage. */
export async function advanceCommand(
  tx: Queryable,
  record: CommandRecord,
  { news, at, end, ...said }: Advance,
): Promise<CommandState | 'refused'> {
  const stage = nextState(COMMAND_MOVES, stageOf(record), news);
  if (stage === 'refused') return stage;
  const stored = storedStage(stage, end);
  const isTaken = stage === 'accepted' || stage === 'running';
  await writeStage(tx, record.id, {
    ...said,
    ...stored,
    sentAt: stage === 'sent' ? at : record.sentAt,
    acceptedAt: isTaken ? (record.acceptedAt ?? at) : record.acceptedAt,
    finishedAt: isSettled(stored.state) ? at : null,
  });
  await addStateEvent(tx, record.id, { state: stored.state, at, detail: said.message });
  if (isSettled(stored.state)) await releaseSteps(tx, record.id, true);
  await announceCommand(tx, record.id);
  return stored.state;
}
