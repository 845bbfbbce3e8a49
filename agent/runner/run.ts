// One command in the runner: verified again with root's own facts, recorded, locked, judged, and carried out.
import type { KeyObject } from 'node:crypto';
import { admitCommand, type RefusalReason } from '#shared/command/admit.ts';
import type { CommandEnvelope } from '#shared/command/envelope.ts';
import { messageOf } from '#shared/errors.ts';
import type { SignedBytes, Signer } from '#shared/signing/dsse.ts';
import { planProcedure } from '../operations/procedures.ts';
import { judgeCommand } from '../policy/judge.ts';
import { loadPolicy } from '../policy/load.ts';
import { finishRun } from './finish.ts';
import type { Locks } from './locks.ts';
import { recoverProcedure } from './recover.ts';
import { createRun, openStepWriter, readSteps } from './step-record.ts';
import { type Ending, type Procedure, runProcedure } from './steps.ts';

export interface Runner {
  host: string;
  runsDir: string;
  policyFile: string;
  pinnedKeys: readonly KeyObject[];
  signer: Signer;
  locks: Locks;
  clock: () => Date;
}

/** The runner's answer to a hand-over. `replayed`: this id was here before, its folder says what became of it. */
export type HandoverAnswer =
  | { accepted: true }
  | { accepted: false; reason: RefusalReason | 'replayed'; detail: string };

/** Verifies a hand-over and, when it holds, makes the command's record. */
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
  await settle(runner, envelope, runProcedure);
}

/** Brings an interrupted run to its end. */
export async function recover(runner: Runner, envelope: CommandEnvelope): Promise<void> {
  await settle(runner, envelope, recoverProcedure);
}

async function settle(
  runner: Runner,
  envelope: CommandEnvelope,
  execute: typeof runProcedure,
): Promise<void> {
  const ending = await reachEnding(runner, envelope, execute).catch(
    (thrown): Ending => ({ state: 'failed', code: 'internal', message: messageOf(thrown).slice(0, 4000) }),
  );
  await finishRun(runner.runsDir, envelope, ending, runner.signer, runner.clock());
  runner.locks.release(envelope.id);
}

async function reachEnding(
  runner: Runner,
  envelope: CommandEnvelope,
  execute: typeof runProcedure,
): Promise<Ending> {
  const { policy } = loadPolicy(runner.policyFile, runner.host);
  const judgement = judgeCommand(envelope, policy);
  if (!judgement.allowed) return { state: 'rejected', code: judgement.code, message: judgement.message };
  const procedure = planProcedure(envelope.operation, judgement.spec, { policy, envelope });
  if (!procedure) {
    return {
      state: 'rejected',
      code: 'unknown-operation',
      message: `the runner has no procedure for ${envelope.operation}`,
    };
  }
  if (envelope.dryRun) return { state: 'succeeded', result: { plan: describe(procedure) } };
  const lock = runner.locks.acquire(judgement.operation.locks(judgement.spec), envelope.id);
  if (!lock.acquired) {
    return {
      state: 'rejected',
      code: 'busy',
      message: `${lock.name} is held by command ${lock.holder}; try again when it has ended`,
    };
  }
  const signal = AbortSignal.timeout(envelope.timeoutMs);
  return await execute({
    procedure,
    context: { envelope, policy, signer: runner.signer, signal },
    writer: openStepWriter(runner.runsDir, envelope.id, runner.clock),
    before: readSteps(runner.runsDir, envelope.id),
  });
}

function describe(procedure: Procedure): { step: string; does: string }[] {
  return procedure.steps.map((step) => ({ step: step.name, does: step.describe() }));
}
