// Asks for a command. The idempotency key makes it safe to ask again when the answer was lost.
import { randomUUID } from 'node:crypto';
import { ROUTES } from '#shared/api/routes.ts';
import { LamplighterError } from '#shared/errors.ts';
import type { ApiClient } from '#shared/kit/api-client.ts';
import { pause } from '#shared/kit/backoff.ts';
import type { CommandId } from '#shared/names.ts';

export interface CommandOrder {
  operation: string;
  params: Record<string, unknown>;
  dryRun: boolean;
}

const RETRY_DELAYS_MS = [200, 1000];

/** Asks for a command and gives its id; asks twice more when the connection broke or a gateway failed, with the same key. */
export async function requestCommand(
  client: ApiClient,
  order: CommandOrder,
  signal: AbortSignal,
): Promise<CommandId> {
  const body = { ...order, idempotencyKey: randomUUID() };
  for (const delayMs of RETRY_DELAYS_MS) {
    try {
      return (await client.call(ROUTES.requestCommand, { body }, { signal })).id;
    } catch (error) {
      if (!(error instanceof LamplighterError) || !error.retryable || signal.aborted) throw error;
      await pause(delayMs, signal);
    }
  }
  return (await client.call(ROUTES.requestCommand, { body }, { signal })).id;
}
