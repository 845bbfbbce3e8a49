// What agents say: signed like commands, with a key of the host's own. `command.finished` of anything above `read`
// is signed by the runner (root), the rest by the agent; the control plane knows which key may say what.
import * as z from 'zod';
import { CommandId, HostName, Timestamp, UnitName } from '../names.ts';
import { RefusalReason } from './admit.ts';
import { EndState } from './state.ts';

export const UnitStatus = z.lazy(() =>
  z.strictObject({
    unit: UnitName,
    loadState: z.string(),
    activeState: z.string(),
    subState: z.string(),
    mainPid: z.int().nonnegative(),
    restarts: z.int().nonnegative(),
    /** When the unit entered its active state; null when it is not active. */
    activeSince: Timestamp.nullable(),
    memoryBytes: z.int().nonnegative().nullable(),
    /** systemd's Result, why it ended last: `success`, `exit-code`, `signal`, `timeout`, `oom-kill`… */
    result: z.string().optional(),
    /** How its main process ended last: with an exit status, or by a signal's number. Absent when it never has. */
    lastExit: z
      .strictObject({ how: z.enum(['exited', 'killed', 'dumped']), status: z.int(), at: Timestamp })
      .optional(),
  }),
);
export type UnitStatus = z.infer<typeof UnitStatus>;

export const Vitals = z.lazy(() =>
  z.strictObject({
    bootId: z.string(),
    uptimeS: z.number().nonnegative(),
    load: z.tuple([z.number(), z.number(), z.number()]),
    memory: z.strictObject({ totalBytes: z.int(), availableBytes: z.int() }),
    disks: z.array(z.strictObject({ mount: z.string(), totalBytes: z.int(), freeBytes: z.int() })),
    units: z.array(UnitStatus),
  }),
);
export type Vitals = z.infer<typeof Vitals>;

export const StepPhase = z.enum(['begin', 'end', 'undo-begin', 'undo-end', 'note']);
export type StepPhase = z.infer<typeof StepPhase>;

/** One step of a command as it ended, in order; shown to the person who waits and kept in the record. */
export const StepRecord = z.lazy(() =>
  z.strictObject({
    name: z.string(),
    outcome: z.enum(['done', 'failed', 'undone', 'undo-failed', 'skipped', 'unknown']),
    startedAt: Timestamp,
    durationMs: z.int().nonnegative(),
    detail: z.string().max(2000).optional(),
  }),
);
export type StepRecord = z.infer<typeof StepRecord>;

/** Why a command was rejected by the host or failed, for machines; `message` says it for people. */
export const OutcomeCode = z.enum([
  'unknown-operation',
  'invalid-params',
  'unknown-unit',
  'not-in-policy',
  'busy',
  'expired',
  'wrong-host',
  'confirmation-missing',
  'step-failed',
  'unhealthy',
  'bad-configuration',
  'timed-out',
  'interrupted',
  'cancelled',
  'undone',
  'corrupt-backup',
  'backup-not-found',
  'not-uploaded',
  'other-database',
  'no-identity',
  'leakproof-function',
  'untrusted-language',
  'user-validator',
  'superuser-object',
  'unchecked-partition',
  'missing-extension',
  'missing-tablespace',
  'missing-role',
  'internal',
]);
export type OutcomeCode = z.infer<typeof OutcomeCode>;

const head = { v: z.literal(1), id: z.uuid(), host: HostName, at: Timestamp };

export const HeartbeatReport = z.lazy(() =>
  z.strictObject({
    ...head,
    type: z.literal('host.heartbeat'),
    agentVersion: z.string(),
    /** SHA-256 of the policy file the host obeys. */
    policyHash: z.string(),
    vitals: Vitals,
    runningCommands: z.array(CommandId),
  }),
);
export type HeartbeatReport = z.infer<typeof HeartbeatReport>;

export const AcceptedReport = z.lazy(() =>
  z.strictObject({
    ...head,
    type: z.literal('command.accepted'),
    commandId: CommandId,
  }),
);

/** A command that goes on longer tells how it ended, and no more of its steps before that. */
export const MAX_PROGRESS_REPORTS = 1000;

export const ProgressReport = z.lazy(() =>
  z.strictObject({
    ...head,
    type: z.literal('command.progress'),
    commandId: CommandId,
    /** Position in the command's own sequence, from 1; the control plane stores each once and shows them in order. */
    seq: z.int().positive().max(MAX_PROGRESS_REPORTS),
    step: z.string().max(300),
    phase: StepPhase,
    ok: z.boolean().optional(),
    detail: z.string().max(2000).optional(),
  }),
);
export type ProgressReport = z.infer<typeof ProgressReport>;

export const FinishedReport = z.lazy(() =>
  z.strictObject({
    ...head,
    type: z.literal('command.finished'),
    commandId: CommandId,
    state: EndState,
    code: OutcomeCode.optional(),
    message: z.string().max(4000).optional(),
    /** What the operator does next. */
    hint: z.string().max(2000).optional(),
    /** What the operation returned, in the shape its definition names; absent unless it got that far. */
    result: z.unknown().optional(),
    steps: z.array(StepRecord).max(200),
    /** The last lines of the unit's journal or the program's output, when something failed. Redacted, bounded. */
    output: z.array(z.string().max(4000)).max(200).optional(),
  }),
);
export type FinishedReport = z.infer<typeof FinishedReport>;

/** A message that never became a command. It changes no command's state: a forger must not be able to settle a real one. */
export const RefusedReport = z.lazy(() =>
  z.strictObject({
    ...head,
    type: z.literal('envelope.refused'),
    reason: RefusalReason,
    detail: z.string().max(1000),
    messageId: z.string().max(200),
    /** Set only when the signature held. */
    commandId: CommandId.optional(),
  }),
);

export const Report = z.lazy(() =>
  z.discriminatedUnion('type', [
    HeartbeatReport,
    AcceptedReport,
    ProgressReport,
    FinishedReport,
    RefusedReport,
  ]),
);
export type Report = z.infer<typeof Report>;

/** CloudEvents type of a report message: `dev.lamplighter.report.` + the report's type + `.v1`. */
export function reportEventType(type: Report['type']): string {
  return `dev.lamplighter.report.${type}.v1`;
}
