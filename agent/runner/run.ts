// One command in the runner: verified again with root's own facts, recorded, locked, judged, and carried out.
import type { KeyObject } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { admitCommand, type RefusalReason } from '#shared/command/admit.ts';
import type { CommandEnvelope } from '#shared/command/envelope.ts';
import { messageOf } from '#shared/errors.ts';
import type { OperationDefinition } from '#shared/operations/definition.ts';
import type { Policy } from '#shared/policy/policy.ts';
import type { SignedBytes, Signer } from '#shared/signing/dsse.ts';
import { planProcedure } from '../operations/registry.ts';
import { judgeCommand, UPDATE_AGENT } from '../policy/judge.ts';
import { loadPolicy } from '../policy/load.ts';
import { readCancel } from './cancel.ts';
import { finishRun } from './finish.ts';
import { readHorizon } from './horizon.ts';
import type { Locks } from './locks.ts';
import { recoverProcedure } from './recover.ts';
import type { Procedure } from './step.ts';
import { createRun, openStepWriter, readSteps } from './step-record.ts';
import { brief, type Ending, type Execution, hintFor, runProcedure } from './steps.ts';

export interface Runner {
  host: string;
  runsDir: string;
  policyFile: string;
  pinnedKeys: readonly KeyObject[];
  signer: Signer;
  locks: Locks;
  clock: () => Date;
  /** Learns what must not be told: only for a command that holds, since others may write what is read then. Never throws. */
  hideSecrets(): void;
  /** Ends the process with all that it started; systemd then calls the recovery. */
  onStuck(step: string): void;
}

/** The runner's answer to a handover. `replayed`: this id was here before, its folder says what became of it. */
export type HandoverAnswer =
  | { accepted: true }
  | { accepted: false; reason: RefusalReason | 'replayed'; detail: string };

/** Verifies a handover and, when it holds, makes the command's record. */
export function admitHandover(
  runner: Runner,
  signed: SignedBytes,
  owner: string,
): { answer: HandoverAnswer; envelope?: CommandEnvelope } {
  const admission = admitCommand(signed, {
    hostName: runner.host,
    pinnedKeys: runner.pinnedKeys,
    nowMs: runner.clock().getTime(),
    maxClockSkewMs: skewOf(runner),
    horizonMs: readHorizon(runner.runsDir),
  });
  if (!admission.admitted) {
    return { answer: { accepted: false, reason: admission.reason, detail: admission.detail } };
  }
  const { envelope } = admission;
  if (!createRun(runner.runsDir, envelope.id, signed, owner)) {
    return {
      answer: {
        accepted: false,
        reason: 'replayed',
        detail: `command ${envelope.id} was handed over before`,
      },
    };
  }
  return { answer: { accepted: true }, envelope };
}

const STRICTEST_SKEW_MS = 0;

function skewOf(runner: Runner): number {
  try {
    return loadPolicy(runner.policyFile, runner.host).policy.maxClockSkewMs;
  } catch {
    // Without a policy the command is rejected a moment later, with the reason.
    return STRICTEST_SKEW_MS;
  }
}

/** Carries an admitted command out and writes its signed report, whatever happens on the way. */
export async function carryOut(runner: Runner, envelope: CommandEnvelope): Promise<void> {
  runner.hideSecrets();
  await settle(runner, envelope, () => start(runner, envelope));
}

/** Brings an interrupted run to its end. */
export async function recover(runner: Runner, envelope: CommandEnvelope): Promise<void> {
  runner.hideSecrets();
  await settle(runner, envelope, () => takeUp(runner, envelope));
}

/** After this long nobody waits for a recovery that fails each time any more. */
const GIVE_UP_AFTER_MS = 24 * 60 * 60 * 1000;

async function settle(
  runner: Runner,
  envelope: CommandEnvelope,
  reachEnding: () => Promise<Ending>,
): Promise<void> {
  const ending = await reachEnding().catch((thrown: unknown) => endingOf(thrown, runner, envelope));
  await finishRun(runner.runsDir, envelope, ending, runner.signer, runner.clock());
  runner.locks.release(envelope.id);
}

/**
 * What an error outside of the steps comes to. When a step had begun, something may have to be put back: then there is no end
 * yet, the error is thrown again, and the recovery takes the command up.
 */
function endingOf(thrown: unknown, runner: Runner, envelope: CommandEnvelope): Ending {
  const message = brief(messageOf(thrown));
  const hasBegun = readSteps(runner.runsDir, envelope.id).some(({ phase }) => phase === 'begin');
  if (!hasBegun) return { state: 'failed', code: 'internal', message, ...hintFor(thrown) };
  const isLongAgo =
    runner.clock().getTime() > Date.parse(envelope.issuedAt) + envelope.timeoutMs + GIVE_UP_AFTER_MS;
  if (!isLongAgo) throw thrown;
  return { state: 'unknown', code: 'interrupted', message: brief(`it can't be taken up: ${message}`) };
}

interface Prepared {
  operation: OperationDefinition;
  procedure: Procedure;
  policy: Policy;
  locks: readonly string[];
  lockWaitMs: number;
}

const LOCK_POLL_MS = 100;

/** What the command means here, or why it may not run. */
function prepare(runner: Runner, envelope: CommandEnvelope): Prepared | { refused: Ending } {
  let policy: Policy;
  try {
    ({ policy } = loadPolicy(runner.policyFile, runner.host));
  } catch (error) {
    const message = brief(messageOf(error));
    return { refused: { state: 'rejected', code: 'not-in-policy', message, ...hintFor(error) } };
  }
  const judgement = judgeCommand(envelope, policy);
  if (!judgement.allowed) return { refused: { state: 'rejected', ...judgement.refusal } };
  const procedure = planProcedure(envelope.operation, judgement.spec, { policy, envelope });
  if (!procedure) {
    const message = `the runner has no procedure for ${envelope.operation}`;
    return { refused: { state: 'rejected', code: 'unknown-operation', message, hint: UPDATE_AGENT } };
  }
  const { operation, spec } = judgement;
  const locks = operation.locks?.(spec) ?? [];
  return { operation, procedure, policy, locks, lockWaitMs: operation.lockWaitMs ?? 0 };
}

/** Takes the locks, waiting as long as the operation may; the ending when another command has one. */
async function lock(
  { locks }: Runner,
  { locks: names, lockWaitMs }: Prepared,
  envelope: CommandEnvelope,
): Promise<Ending | undefined> {
  const giveUpAt = Date.now() + lockWaitMs;
  let lock = locks.acquire(names, envelope.id);
  while (!lock.acquired && Date.now() < giveUpAt) {
    await sleep(LOCK_POLL_MS);
    lock = locks.acquire(names, envelope.id);
  }
  if (lock.acquired) return undefined;
  const message = `${lock.name} is held by command ${lock.holder}`;
  const hint = `Try again when it has ended: lamp commands ${lock.holder} --wait`;
  return { state: 'rejected', code: 'busy', message, hint };
}

/** The ending of a command that was cancelled before its first step. */
function cancelledEarly({ runsDir }: Runner, { id }: CommandEnvelope): Ending | undefined {
  const cancel = readCancel(runsDir, id);
  if (!cancel) return undefined;
  return { state: 'cancelled', code: 'cancelled', message: `cancelled by ${cancel.actor} before it began` };
}

async function start(runner: Runner, envelope: CommandEnvelope): Promise<Ending> {
  const cancelled = cancelledEarly(runner, envelope);
  if (cancelled) return cancelled;
  const prepared = prepare(runner, envelope);
  if ('refused' in prepared) return prepared.refused;
  // A read changes nothing, so it is done in a dry run too.
  const isDry = envelope.dryRun && prepared.operation.risk !== 'read';
  // What looks something up for it may be in the way of others as the command itself would be.
  const isLocked = !isDry || prepared.procedure.steps.some(({ foresee }) => foresee);
  const busy = isLocked ? await lock(runner, prepared, envelope) : undefined;
  if (busy) return busy;
  return isDry
    ? await foresee(runner, envelope, prepared)
    : await runProcedure(executionOf(runner, envelope, prepared));
}

/** An interrupted command is never judged anew as if it had not begun. */
async function takeUp(runner: Runner, envelope: CommandEnvelope): Promise<Ending> {
  const last = readSteps(runner.runsDir, envelope.id).findLast(({ phase }) => phase === 'begin');
  if (!last) return await startLate(runner, envelope);
  const prepared = prepare(runner, envelope);
  const refused = 'refused' in prepared ? prepared.refused : await lock(runner, prepared, envelope);
  if (refused || 'refused' in prepared) {
    const message = brief(
      `interrupted in ${last.step}, and it may not be taken up: ${refused?.message ?? ''}`,
    );
    const hint = refused?.hint === undefined ? {} : { hint: refused.hint };
    return { state: 'unknown', code: 'interrupted', message, ...hint };
  }
  return await recoverProcedure(
    executionOf(runner, envelope, prepared),
    readCancel(runner.runsDir, envelope.id),
  );
}

/** Nothing of it has happened yet: it starts now if it still may. */
async function startLate(runner: Runner, envelope: CommandEnvelope): Promise<Ending> {
  const cancelled = cancelledEarly(runner, envelope);
  if (cancelled) return cancelled;
  if (runner.clock().getTime() <= Date.parse(envelope.expiresAt)) return await start(runner, envelope);
  const message = `interrupted before its first step; it had to start by ${envelope.expiresAt}`;
  return { state: 'expired', code: 'expired', message };
}

function executionOf(runner: Runner, envelope: CommandEnvelope, { procedure, policy }: Prepared): Execution {
  const signal = AbortSignal.timeout(envelope.timeoutMs);
  return {
    procedure,
    context: { envelope, policy, signer: runner.signer, signal },
    writer: openStepWriter(runner.runsDir, envelope.id, runner.clock),
    before: readSteps(runner.runsDir, envelope.id),
    onStuck: runner.onStuck,
  };
}

/** What a dry run answers: what each step does, and what exactly it would act on. */
async function foresee(runner: Runner, envelope: CommandEnvelope, prepared: Prepared): Promise<Ending> {
  const { context, procedure } = executionOf(runner, envelope, prepared);
  try {
    const plan: { step: string; does: string; exactly?: string[] }[] = [];
    for (const step of procedure.steps) {
      const exactly = await step.foresee?.(context);
      plan.push({ step: step.name, does: step.describe(), ...(exactly === undefined ? {} : { exactly }) });
    }
    return { state: 'succeeded', result: { plan } };
  } catch (thrown) {
    return { state: 'failed', code: 'step-failed', message: brief(messageOf(thrown)), ...hintFor(thrown) };
  }
}
