// Digests over what was asked: one to tell whether two orders are the same, one to tell whether a stored command is
// still what was asked for.
import { createHash } from 'node:crypto';
import type { Actor } from '#shared/command/envelope.ts';
import { canonicalJson } from '../store/json.ts';

function digest(value: unknown): string {
  return createHash('sha256').update(canonicalJson(value)).digest('hex');
}

/** Of what an actor orders; equal for equal orders. */
export function orderDigest(order: { operation: string; params: unknown; dryRun: boolean }): string {
  return digest([order.operation, order.params, order.dryRun]);
}

export interface DigestedCommand {
  id: string;
  operation: string;
  host: string;
  params: Record<string, unknown>;
  dryRun: boolean;
  actor: Actor;
  expiresAt: Date;
}

/** Of a command's row; written into the append-only audit trail when it is made, and compared before it is signed. */
export function commandDigest(command: DigestedCommand): string {
  const { id, operation, host, params, dryRun, actor, expiresAt } = command;
  return digest([
    id,
    operation,
    host,
    params,
    dryRun,
    [actor.kind, actor.name, actor.role],
    expiresAt.toISOString(),
  ]);
}
