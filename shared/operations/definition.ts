// What an operation is: one definition from which the API route, the `lamp` verb, the policy check, the schedule, what
// becomes of its end, and the agent's dispatch derive. Its twin in agent/operations/ says how it is done.
import type * as z from 'zod';
import type { Actor } from '../command/envelope.ts';
import type { CommandId, HostName } from '../names.ts';
import { POLICY_FILE, type Policy } from '../policy/policy.ts';
import type { Risk, Role } from '../role.ts';
import type { Runbook } from '../runbook/schema.ts';

export interface ResolveContext {
  runbook: Runbook;
}

/** What resolving gives: the host to address, and everything the host needs to know from the runbook. */
export interface Resolved<S> {
  host: string;
  spec: S;
}

/** A job that the runbook schedules: the operation at the times of a cron expression, by the clock of its host. */
export interface ScheduledOrder {
  /** Unique among all jobs of a runbook. */
  name: string;
  host: HostName;
  cron: string;
  params: Record<string, unknown>;
}

/** What the control plane does once an operation's end is recorded; functions/command/report-handler.ts has each. */
export type ReportEffect = 'record-backup' | 'conclude-line';

export type PolicyVerdict =
  | { allowed: true }
  | { allowed: false; code: 'unknown-unit' | 'not-in-policy'; detail: string; hint: string };

export interface OperationDefinition<
  P extends z.ZodType = z.ZodType,
  S extends z.ZodType = z.ZodType,
  R extends z.ZodType = z.ZodType,
  K extends Risk = Risk,
> {
  name: string;
  /** One line for help and the catalogue, imperative. */
  summary: string;
  risk: K;
  /** The least role that may ask, where the risk's own would let too many. */
  role?: Role;
  /** Who may ask. Without it: tokens and, unless the risk is destructive, webhooks; besides them what `jobs` schedules. */
  askedBy?: readonly Exclude<Actor['kind'], 'schedule'>[];
  /** The only actor that may ask for it with these parameters, by its name; without it any of `askedBy`. */
  ownerOf?(params: z.infer<P>): string;
  /** The command that it acts on: whoever asks must also be allowed to ask for that one, and it must be on the same host. */
  actsOn?(params: z.infer<P>): CommandId;
  /** The jobs that a runbook schedules of it; without it no schedule may ask. */
  jobs?(runbook: Runbook): ScheduledOrder[];
  /** A read of what only root can see: the runner carries it out, as everything above `read`, and signs its end. */
  needsRoot?: true;
  /** What a caller gives; flat, with `.describe()` on each field, since flags and forms derive from it. */
  params: P;
  /** What the agent gets besides: names resolved from the runbook. */
  spec: S;
  result: R;
  timeoutMs: number;
  /** How long a command may wait to start; without it a risk's own time, and longer for a scheduled one. */
  startWithinMs?: number;
  /** How long it waits for its locks before it is refused as busy; without it not at all. */
  lockWaitMs?: number;
  /** It goes on until somebody has had enough. A caller asks for a live ticket, never for it by its name; its signed bytes open the ticket and are not kept. */
  isStream?: boolean;
  /** What is set going by the report of its end. */
  onRecorded?: ReportEffect;
  /** The parameters with every name as the runbook has it; without it they are that already. Throws as `resolve` does. */
  canonical?(params: z.infer<P>, context: ResolveContext): z.infer<P>;
  /** Throws `LamplighterError` `not-found` or `invalid-input` when the runbook does not have what `params` name. */
  resolve(params: z.infer<P>, context: ResolveContext): Resolved<z.infer<S>>;
  /** Names that no two commands may hold at once on a host, e.g. `unit:app-web.service`; every operation above `read` has some. */
  locks?(spec: z.infer<S>): string[];
  /** The host's last word, besides that the policy must list the operation's name. `issuedAtMs` is the command's. */
  permit(spec: z.infer<S>, policy: Policy, issuedAtMs: number): PolicyVerdict;
}

/** Keeps the types of the three schemas and of the risk while checking the shape. */
export function defineOperation<
  P extends z.ZodType,
  S extends z.ZodType,
  R extends z.ZodType,
  K extends Risk,
>(definition: OperationDefinition<P, S, R, K>): OperationDefinition<P, S, R, K> {
  return definition;
}

/** True when an actor of this kind may ask for the operation, if its role suffices. */
export function mayAsk({ askedBy, risk, jobs }: OperationDefinition, kind: Actor['kind']): boolean {
  if (kind === 'schedule') return jobs !== undefined;
  if (askedBy) return askedBy.includes(kind);
  return kind === 'token' || (kind === 'webhook' && risk !== 'destructive');
}

/** True when the API offers it to whoever has a token. */
export function isOffered(definition: OperationDefinition): boolean {
  return mayAsk(definition, 'token') && !definition.isStream;
}

/** True when the runner carries it out and signs its end; the agent carries out every other operation. */
export function isRunnersWork({ risk, needsRoot }: OperationDefinition): boolean {
  return risk !== 'read' || needsRoot === true;
}

export const ALLOWED: PolicyVerdict = { allowed: true };

/** A verdict that says no and why; `entry` is what root adds to the policy to allow it. */
export function forbid(code: 'unknown-unit' | 'not-in-policy', detail: string, entry: string): PolicyVerdict {
  const hint = `Root of the host can allow it: add ${entry} in ${POLICY_FILE}.`;
  return { allowed: false, code, detail, hint };
}
