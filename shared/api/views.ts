// What the HTTP API answers: the functions write these, `lamp` and the console read them. Times are RFC 3339 UTC.
import * as z from 'zod';
import { OutcomeCode, StepPhase, StepRecord, Vitals } from '../command/report.ts';
import { CommandState } from '../command/state.ts';
import { BackupId, CommandId, HostName, Timestamp } from '../names.ts';
import { Risk, Role } from '../role.ts';
import { AlertKind } from '../runbook/schema.ts';
import { AlertLevel, Severity } from '../severity.ts';
import { CheckState, DeliveryState, IncidentState, ProofState } from '../states.ts';

/** RFC 9457 problem details; `hint` says what to do next. */
export const Problem = z.lazy(() =>
  z.object({
    type: z.string(),
    title: z.string(),
    status: z.int(),
    detail: z.string().optional(),
    code: z.string(),
    hint: z.string().optional(),
    errors: z.array(z.unknown()).optional(),
  }),
);
export type Problem = z.infer<typeof Problem>;

export const CommandEvent = z.lazy(() =>
  z.object({
    seq: z.int(),
    at: Timestamp,
    /** A state that was reached, or a step's phase. */
    kind: z.enum(['state', 'step', 'refused']),
    state: CommandState.optional(),
    step: z.string().optional(),
    phase: StepPhase.optional(),
    ok: z.boolean().optional(),
    detail: z.string().optional(),
  }),
);
export type CommandEvent = z.infer<typeof CommandEvent>;

export const CommandView = z.lazy(() =>
  z.object({
    id: CommandId,
    operation: z.string(),
    host: z.string(),
    params: z.record(z.string(), z.unknown()),
    dryRun: z.boolean(),
    actor: z.object({ kind: z.string(), name: z.string(), role: Role }),
    state: CommandState,
    code: OutcomeCode.nullable(),
    message: z.string().nullable(),
    /** What the operator does next, when it did not succeed. */
    hint: z.string().nullable(),
    result: z.unknown(),
    steps: z.array(StepRecord),
    output: z.array(z.string()),
    requestedAt: Timestamp,
    /** When it is given up unless its host took it. */
    expiresAt: Timestamp,
    finishedAt: Timestamp.nullable(),
  }),
);
export type CommandView = z.infer<typeof CommandView>;

/** When a host was last heard of, by the control plane's clock. */
export const HostContact = z.lazy(() =>
  z.object({
    /** When this was looked up. */
    at: Timestamp,
    online: z.boolean(),
    lastHeardAt: Timestamp.nullable(),
  }),
);
export type HostContact = z.infer<typeof HostContact>;

/** A command and what has happened to it. */
export const CommandDetail = z.lazy(() =>
  z.object({
    command: CommandView,
    events: z.array(CommandEvent),
    /** Only while the command waits for its host to take it. */
    contact: HostContact.nullable(),
  }),
);
export type CommandDetail = z.infer<typeof CommandDetail>;

/** What is asked for. `idempotencyKey`: the same key from the same token answers with the command it made first. */
export const CommandRequest = z.lazy(() =>
  z.strictObject({
    operation: z.string().max(64),
    params: z.record(z.string(), z.unknown()).default({}),
    dryRun: z.boolean().default(false),
    idempotencyKey: z.string().min(8).max(100).optional(),
  }),
);
export type CommandRequest = z.infer<typeof CommandRequest>;

/** The command that came of it: all else is shown by looking at it. */
export const CommandRequested = z.lazy(() => z.object({ id: CommandId, host: z.string() }));
export type CommandRequested = z.infer<typeof CommandRequested>;

/** The command that is cancelled, and the command that cancels it: null where nobody had signed it, so that it is withdrawn. */
export const CancelRequested = z.lazy(() => z.object({ command: CommandId, cancel: CommandId.nullable() }));
export type CancelRequested = z.infer<typeof CancelRequested>;

export const CheckView = z.lazy(() =>
  z.object({
    name: z.string(),
    host: z.string(),
    service: z.string().nullable(),
    state: CheckState,
    /** Since when the state holds. */
    since: Timestamp.nullable(),
    lastRunAt: Timestamp.nullable(),
    latencyMs: z.number().nullable(),
    detail: z.string().nullable(),
  }),
);
export type CheckView = z.infer<typeof CheckView>;

export const AlertView = z.lazy(() =>
  z.object({
    id: z.uuid(),
    /** What is wrong: `check-unjudged`. */
    condition: z.string(),
    /** The runbook's word for it, which severity rules name. */
    kind: AlertKind,
    state: z.enum(['firing', 'resolved']),
    level: AlertLevel,
    severity: Severity,
    host: z.string(),
    check: z.string().nullable(),
    service: z.string().nullable(),
    summary: z.string(),
    firedAt: Timestamp,
    resolvedAt: Timestamp.nullable(),
    incident: z.string().nullable(),
    deliveries: z.array(
      z.object({
        channel: z.string(),
        /** A mail address; null for a channel that has only itself. */
        recipient: z.string().nullable(),
        event: z.enum(['firing', 'resolved', 'undelivered']),
        state: DeliveryState,
        attempts: z.int(),
        deliveredAt: Timestamp.nullable(),
        lastError: z.string().nullable(),
      }),
    ),
  }),
);
export type AlertView = z.infer<typeof AlertView>;

export const IncidentView = z.lazy(() =>
  z.object({
    /** Short, for people: `INC-12`. */
    id: z.string(),
    severity: Severity,
    state: IncidentState,
    title: z.string(),
    openedAt: Timestamp,
    acknowledgedAt: Timestamp.nullable(),
    acknowledgedBy: z.string().nullable(),
    respondBy: Timestamp,
    resolvedAt: Timestamp.nullable(),
    timeline: z.array(
      z.object({ at: Timestamp, kind: z.string(), text: z.string(), actor: z.string().nullable() }),
    ),
  }),
);
export type IncidentView = z.infer<typeof IncidentView>;

export const BackupView = z.lazy(() =>
  z.object({
    id: BackupId,
    host: z.string(),
    database: z.string(),
    startedAt: Timestamp,
    finishedAt: Timestamp,
    bytes: z.int(),
    tables: z.int(),
    rows: z.int(),
    proof: z.object({
      /** `not-uploaded`: whole on its host, which goes on trying; the bucket does not have it yet. */
      state: z.enum(['not-uploaded', ...ProofState.options]),
      at: Timestamp.nullable(),
      /** One line per fault that was found; empty when verified or intact. */
      faults: z.array(z.string()),
      /** What the proof leaves open. */
      notProven: z.array(z.string()).optional(),
    }),
  }),
);
export type BackupView = z.infer<typeof BackupView>;

export const ServiceView = z.lazy(() =>
  z.object({
    name: z.string(),
    host: z.string(),
    unit: z.string(),
    description: z.string().nullable(),
    /** systemd's ActiveState, or `unknown` when the host has said nothing lately. */
    activeState: z.string(),
    subState: z.string(),
    activeSince: Timestamp.nullable(),
    restarts: z.int().nullable(),
  }),
);
export type ServiceView = z.infer<typeof ServiceView>;

export const HostView = z.lazy(() =>
  z.object({
    name: z.string(),
    address: z.string(),
    online: z.boolean(),
    lastHeartbeatAt: Timestamp.nullable(),
    agentVersion: z.string().nullable(),
    vitals: Vitals.unwrap().omit({ units: true }).nullable(),
  }),
);
export type HostView = z.infer<typeof HostView>;

/** Everything the quick look needs. */
export const StatusView = z.lazy(() =>
  z.object({
    at: Timestamp,
    runbook: z.object({ name: z.string(), version: z.int(), appliedAt: Timestamp }).nullable(),
    hosts: z.array(HostView),
    services: z.array(ServiceView),
    checks: z.array(CheckView),
    alerts: z.array(AlertView),
    incidents: z.array(IncidentView),
    commands: z.array(CommandView),
    lastBackup: BackupView.nullable(),
  }),
);
export type StatusView = z.infer<typeof StatusView>;

/** An operation of the catalogue, with the JSON Schema of its parameters. */
export const OperationView = z.lazy(() =>
  z.object({
    name: z.string(),
    summary: z.string(),
    risk: Risk,
    role: Role,
    params: z.record(z.string(), z.unknown()),
  }),
);
export type OperationView = z.infer<typeof OperationView>;

export const EnrolledHost = z.lazy(() =>
  z.object({
    host: HostName,
    keys: z.array(z.object({ role: z.enum(['agent', 'runner']), keyId: z.string() })),
  }),
);
export type EnrolledHost = z.infer<typeof EnrolledHost>;

export const AuditView = z.lazy(() =>
  z.object({
    seq: z.int(),
    /** null: the entry can't be read. */
    at: Timestamp.nullable(),
    actor: z.string(),
    action: z.string(),
    target: z.string().nullable(),
    detail: z.record(z.string(), z.unknown()),
  }),
);
export type AuditView = z.infer<typeof AuditView>;

/** A token; its text is kept nowhere. */
export const TokenView = z.lazy(() =>
  z.object({
    name: z.string(),
    role: Role,
    /** null: all of them. */
    hosts: z.array(z.string()).nullable(),
    operations: z.array(z.string()).nullable(),
    createdAt: Timestamp,
    expiresAt: Timestamp,
    /** To within five minutes. */
    lastUsedAt: Timestamp.nullable(),
    revokedAt: Timestamp.nullable(),
  }),
);
export type TokenView = z.infer<typeof TokenView>;

/** A one-time ticket for the relay and the command that makes the agent dial in. */
export const LiveTicket = z.lazy(() =>
  z.object({
    ticket: z.string(),
    url: z.url(),
    commandId: CommandId,
    expiresAt: Timestamp,
  }),
);
export type LiveTicket = z.infer<typeof LiveTicket>;
