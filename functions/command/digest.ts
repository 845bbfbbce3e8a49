// Digests of orders and commands: one tells whether two orders are the same, the other whether a stored command was changed.
import { createHash } from 'node:crypto';
import type { Actor } from '#shared/command/envelope.ts';
import { canonicalJson } from '../store/json.ts';

function digest(value: unknown): string {
  return createHash('sha256').update(canonicalJson(value)).digest('hex');
}

/** The digest of what an actor orders; equal for equal orders. */
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

/** The digest of a command's row; written to the audit trail with the command, and compared before the command is signed. */
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
