// What an operation is: one definition from which the API route, the `lamp` verb, the policy check and the agent's
// dispatch derive. Its twin in agent/operations/ says how it is done.
import type * as z from 'zod';
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
  /** What a caller gives; flat, with `.describe()` on each field, since flags and forms derive from it. */
  params: P;
  /** What the agent gets besides: names resolved from the runbook. */
  spec: S;
  result: R;
  timeoutMs: number;
  /** How long it waits for its locks before it is refused as busy; without it not at all. */
  lockWaitMs?: number;
  /** It goes on until somebody has had enough. */
  isStream?: boolean;
  /** Only the control plane itself asks for it: no caller, whatever the role. */
  isInternal?: boolean;
  /** True when doing it twice is the same as doing it once. */
  isIdempotent: boolean;
  /** The parameters with every name as the runbook has it; without it they are that already. Throws as `resolve` does. */
  canonical?(params: z.infer<P>, context: ResolveContext): z.infer<P>;
  /** Throws `LamplighterError` `not-found` or `invalid-input` when the runbook does not have what `params` name. */
  resolve(params: z.infer<P>, context: ResolveContext): Resolved<z.infer<S>>;
  /** Names that no two commands above `read` may hold at once on a host, e.g. `unit:app-web.service`. */
  locks(spec: z.infer<S>): string[];
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

export const ALLOWED: PolicyVerdict = { allowed: true };

/** A verdict that says no and why; `entry` is what root adds to the policy to allow it. */
export function forbid(code: 'unknown-unit' | 'not-in-policy', detail: string, entry: string): PolicyVerdict {
  const hint = `Root of the host can allow it: add ${entry} in ${POLICY_FILE}.`;
  return { allowed: false, code, detail, hint };
}
