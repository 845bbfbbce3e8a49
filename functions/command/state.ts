// The stages of a command, and the news that leads from one to another. Reports come twice, late and out of order, so most
// news count in several stages, and are refused in later ones. Pure; advance.ts writes the stage down.
import {
  type CommandState,
  type EndSigner,
  type EndState,
  isSettled,
  OPEN_STATES,
} from '#shared/command/state.ts';
import type { Moves } from '../state-machine.ts';

/**
 * `lapsed`, `silent`: our own clock ended the command, before or after its host accepted it; a report of the host still
 * counts. `unsigned`: `sign` refused to sign the command. `withdrawn`: a person
 * cancelled the command before it was signed, so no host ever has it. For ends that a host reported, the stage says whose key signed the
 * report, and whether the report knows the outcome.
 */
export const COMMAND_STAGES = [
  ...OPEN_STATES,
  'lapsed',
  'silent',
  'unsigned',
  'withdrawn',
  'agent-unknown',
  'agent-ended',
  'runner-unknown',
  'runner-ended',
] as const;
export type CommandStage = (typeof COMMAND_STAGES)[number];

/**
 * `never-begun`: the agent says that a procedure was rejected or had expired before its first step. `agent-claims`: the
 * agent says how a procedure ended, which only the runner is allowed to say. `agent-end`, `agent-unknown`: the end of a read,
 * which the agent carries out itself.
 */
export type CommandNews =
  | 'published'
  | 'not-signed'
  | 'withdrawn'
  | 'lapsed'
  | 'fell-silent'
  | 'accepted'
  | 'progress'
  | 'never-begun'
  | 'agent-claims'
  | 'agent-end'
  | 'agent-unknown'
  | 'runner-end'
  | 'runner-unknown';

/** The runner's end replaces these: a stolen agent could lie about what root did. */
const BY_AGENT = ['agent-unknown', 'agent-ended'] as const;

export const COMMAND_MOVES: Moves<CommandStage, CommandNews> = {
  published: { from: ['requested'], to: 'sent' },
  'not-signed': { from: ['requested'], to: 'unsigned' },
  withdrawn: { from: ['requested'], to: 'withdrawn' },
  lapsed: { from: ['requested', 'sent'], to: 'lapsed' },
  'fell-silent': { from: ['accepted', 'running'], to: 'silent' },
  accepted: { from: ['requested', 'sent'], to: 'accepted' },
  progress: { from: ['requested', 'sent', 'accepted'], to: 'running' },
  'never-begun': { from: ['requested', 'sent', 'accepted', 'lapsed', 'unsigned'], to: 'agent-ended' },
  'agent-claims': { from: [], to: 'agent-ended' },
  'agent-end': {
    from: [...OPEN_STATES, 'lapsed', 'silent', 'unsigned', 'agent-unknown', 'runner-unknown'],
    to: 'agent-ended',
  },
  'agent-unknown': { from: OPEN_STATES, to: 'agent-unknown' },
  'runner-end': {
    from: [...OPEN_STATES, 'lapsed', 'silent', 'unsigned', ...BY_AGENT, 'runner-unknown'],
    to: 'runner-ended',
  },
  'runner-unknown': { from: [...OPEN_STATES, ...BY_AGENT], to: 'runner-unknown' },
};

/** True once its host took it, or it is settled. */
export function isTaken(state: CommandState): boolean {
  return !COMMAND_MOVES.lapsed.from.some((untaken) => untaken === state);
}

/** The columns of a command's row that hold its stage. */
export interface StoredStage {
  state: CommandState;
  /** Our own clock ended it. */
  swept: boolean;
  endedBy: EndSigner | null;
}

export function stageOf({ state, swept, endedBy }: StoredStage): CommandStage {
  if (!isSettled(state)) return state;
  if (swept) return state === 'unknown' ? 'silent' : 'lapsed';
  if (endedBy === null) return state === 'cancelled' ? 'withdrawn' : 'unsigned';
  return state === 'unknown' ? `${endedBy}-unknown` : `${endedBy}-ended`;
}

const ROWS: Readonly<Record<CommandStage, Partial<StoredStage>>> = {
  requested: { state: 'requested' },
  sent: { state: 'sent' },
  accepted: { state: 'accepted' },
  running: { state: 'running' },
  lapsed: { state: 'expired', swept: true },
  silent: { state: 'unknown', swept: true },
  unsigned: {},
  withdrawn: { state: 'cancelled' },
  'agent-unknown': { state: 'unknown', endedBy: 'agent' },
  'agent-ended': { endedBy: 'agent' },
  'runner-unknown': { state: 'unknown', endedBy: 'runner' },
  'runner-ended': { endedBy: 'runner' },
};

/** The stage as it stands in the row; `end` is what was said of an end. */
export function storedStage(stage: CommandStage, end: EndState = 'unknown'): StoredStage {
  return { state: end, swept: false, endedBy: null, ...ROWS[stage] };
}
