// What happens with a command once it stands in the journal: judged by the policy; reads are done here, everything else
// is handed to the runner and followed.
import { existsSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { CommandEnvelope } from '#shared/command/envelope.ts';
import { messageOf } from '#shared/errors.ts';
import { pause } from '#shared/kit/backoff.ts';
import { isRunnersWork } from '#shared/operations/definition.ts';
import type { SignedBytes } from '#shared/signing/dsse.ts';
import type { JournalledCommand } from '../journal/journal.ts';
import { findRead } from '../operations/registry.ts';
import { judgeCommand, UPDATE_AGENT } from '../policy/judge.ts';
import { loadPolicy } from '../policy/load.ts';
import { runDir } from '../runner/step-record.ts';
import { askRunner, RUNNER_HINT } from './ask-runner.ts';
import { carryRead, type Finish, tell, turnAway } from './carry-read.ts';
import { type FollowOptions, followRun } from './follow-run.ts';
import { createReadGate, READ_LIMITS, type ReadGate, ROOT_READ_LIMITS } from './read-gate.ts';

export interface DispatchOptions extends FollowOptions {
  host: string;
  policyFile: string;
  socketPath: string;
  onTrouble(text: string): void;
  /** Called when a command has ended: the host may look different now. */
  onEnd(): void;
}

/** A command on its way to its end. */
interface Task {
  envelope: CommandEnvelope;
  signed: SignedBytes;
  /** The last step entry that was reported. */
  seen: number;
}

/** With the gates for all reads of the host: those that the agent carries out, and those that the runner does. */
type CarryOptions = DispatchOptions & { gate: ReadGate; rootGate: ReadGate };

const RETRY_HANDOVER_MS = 1000;
/** By then, a runner that accepted the command just before it expired has made its record. */
const EXPIRY_GRACE_MS = 15_000;
const RETRY_MS = 2000;

export interface Dispatcher {
  /** Starts on a new command. */
  begin(envelope: CommandEnvelope, signed: SignedBytes): void;
  /** Takes up a command that an earlier agent had begun. */
  resume(command: JournalledCommand): void;
  /** Commands under way. */
  running(): string[];
}

/** A dispatcher; commands run side by side. */
export function createDispatcher(options: DispatchOptions): Dispatcher {
  const running = new Map<string, Promise<void>>();
  const carryOptions: CarryOptions = {
    ...options,
    gate: createReadGate(READ_LIMITS),
    rootGate: createReadGate(ROOT_READ_LIMITS),
  };
  const track = (task: Task): void => {
    const { id } = task.envelope;
    const work = carryToEnd(task, carryOptions);
    running.set(id, work);
    void work.finally(() => {
      running.delete(id);
      options.onEnd();
    });
  };
  return {
    begin: (envelope, signed) => track({ envelope, signed, seen: 0 }),
    resume: ({ signed, stepSeq }) => {
      const envelope = CommandEnvelope.parse(JSON.parse(Buffer.from(signed.payload).toString('utf8')));
      track({ envelope, signed, seen: stepSeq });
    },
    running: () => [...running.keys()],
  };
}

/** After any failure a command that stands in the journal is carried on with; nothing runs twice by that. */
async function carryToEnd(task: Task, options: CarryOptions): Promise<void> {
  while (!options.signal.aborted) {
    try {
      return await carry(task, options);
    } catch (error) {
      options.onTrouble(`command ${task.envelope.id}: ${messageOf(error)}`);
      await pause(RETRY_MS, options.signal);
    }
  }
}

async function finish(envelope: CommandEnvelope, ending: Finish, options: DispatchOptions): Promise<void> {
  const { journal, reports, clock, onQueued } = options;
  const report = await reports.write({
    type: 'command.finished',
    commandId: envelope.id,
    steps: [],
    ...ending,
  });
  journal.finish(envelope.id, report, clock().getTime());
  onQueued();
}

async function carry(task: Task, options: CarryOptions): Promise<void> {
  const { envelope, seen } = task;
  // The runner has the command already: its run counts, whatever the policy says now.
  if (existsSync(runDir(options.runsDir, envelope.id))) return await followRun(envelope.id, seen, options);
  const decision = await decide(task, options);
  if ('ending' in decision) return await finish(envelope, decision.ending, options);
  const leave = decision.isRead ? await options.rootGate.enter('brief') : () => undefined;
  if (!leave) return await finish(envelope, turnAway(ROOT_READ_LIMITS), options);
  try {
    const ending = await handToRunner(task, options);
    if (ending) await finish(envelope, ending, options);
    else await followRun(envelope.id, seen, options);
  } finally {
    leave();
  }
}

/** The command's end when it is reached here, or that the runner carries it out. */
type Decision = { ending: Finish } | { isRead: boolean };

async function decide({ envelope, signed }: Task, options: CarryOptions): Promise<Decision> {
  let policy: ReturnType<typeof loadPolicy>['policy'];
  try {
    ({ policy } = loadPolicy(options.policyFile, options.host));
  } catch (error) {
    return { ending: { state: 'rejected', code: 'not-in-policy', ...tell(error) } };
  }
  const judgement = judgeCommand(envelope, policy);
  if (!judgement.allowed) return { ending: { state: 'rejected', ...judgement.refusal } };
  const { operation, spec } = judgement;
  if (isRunnersWork(operation)) return { isRead: operation.risk === 'read' };
  const read = findRead(envelope.operation);
  if (!read) {
    const message = `the agent has no read for ${envelope.operation}`;
    return { ending: { state: 'rejected', code: 'unknown-operation', message, hint: UPDATE_AGENT } };
  }
  const kind = operation.isStream ? 'stream' : 'brief';
  return { ending: await carryRead(read, kind, spec, { policy, envelope, signed }, options) };
}

async function handToRunner({ envelope, signed }: Task, options: CarryOptions): Promise<Finish | undefined> {
  for (;;) {
    try {
      const answer = await askRunner(options.socketPath, signed);
      if (answer.accepted || answer.reason === 'replayed') return undefined;
      if (answer.reason === 'expired') return { state: 'expired', code: 'expired', message: answer.detail };
      return {
        state: 'rejected',
        code: 'internal',
        message: `the runner refused the command (${answer.reason}): ${answer.detail}`,
        hint: "On the host: journalctl -u 'lamplighter-run@*'",
      };
    } catch (error) {
      options.onTrouble(messageOf(error));
      // No answer is no refusal: the run's folder shows whether it began.
      if (existsSync(runDir(options.runsDir, envelope.id))) return undefined;
      const isLate = options.clock().getTime() > Date.parse(envelope.expiresAt) + EXPIRY_GRACE_MS;
      if (isLate)
        return {
          state: 'expired',
          code: 'expired',
          message: `the runner could not be reached: ${messageOf(error)}`,
          hint: RUNNER_HINT,
        };
      await sleep(RETRY_HANDOVER_MS, undefined, { signal: options.signal });
    }
  }
}
