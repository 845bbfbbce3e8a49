// Asks for a command. The idempotency key makes it safe to ask again when the answer was lost.
import { randomUUID } from 'node:crypto';
import * as z from 'zod';
import { LamplighterError } from '#shared/errors.ts';
import { CommandId } from '#shared/names.ts';
import type { ApiClient } from '../api/client.ts';
import { pause } from './pause.ts';

export interface CommandOrder {
  operation: string;
  params: Record<string, unknown>;
  dryRun: boolean;
}

/** All that is needed of the answer; the rest comes with the first look at the command. */
const Requested = z.object({ id: CommandId });

const RETRY_DELAYS_MS = [200, 1000];

/** `POST /v1/commands`, giving the command's id; asks twice more when the connection broke or a gateway failed, with the same key. */
export async function requestCommand(
  client: ApiClient,
  order: CommandOrder,
  signal: AbortSignal,
): Promise<CommandId> {
  const body = JSON.stringify({ ...order, idempotencyKey: randomUUID() });
  for (const delayMs of RETRY_DELAYS_MS) {
    try {
      return (await client.call('POST', '/v1/commands', Requested, { body, signal })).id;
    } catch (error) {
      if (!(error instanceof LamplighterError) || !error.retryable || signal.aborted) throw error;
      await pause(delayMs, signal);
    }
  }
  return (await client.call('POST', '/v1/commands', Requested, { body, signal })).id;
}
