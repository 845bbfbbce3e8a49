// Calls another function of ours with an identity token of this function's own service account, which the metadata
// server gives.
import type { IdTokenClient } from 'google-auth-library';
import * as z from 'zod';
import { LamplighterError, messageOf } from '#shared/errors.ts';

/** Posts JSON to a private function and gives its JSON answer; the token's audience is the function's URL. */
export interface FunctionCaller {
  post(url: string, body: Record<string, unknown>): Promise<unknown>;
}

const CALL_TIMEOUT_MS = 20_000;
const Failure = z.lazy(() => z.object({ response: z.object({ status: z.int() }).optional() }));

/** A caller that keeps one client, with its cached token, for each URL. */
export function createFunctionCaller(): FunctionCaller {
  const clients = new Map<string, Promise<IdTokenClient>>();
  const open = (url: string): Promise<IdTokenClient> => {
    const known = clients.get(url);
    if (known) return known;
    const client = import('./id-token-client.ts').then(({ openIdTokenClient }) => openIdTokenClient(url));
    clients.set(url, client);
    // The next call asks the metadata server again.
    client.catch(() => clients.delete(url));
    return client;
  };
  return {
    post: async (url, body) => {
      try {
        const client = await open(url);
        const response = await client.request<unknown>({
          url,
          method: 'POST',
          data: body,
          timeout: CALL_TIMEOUT_MS,
          retry: false,
        });
        return response.data;
      } catch (error) {
        throw callError(url, error);
      }
    },
  };
}

function callError(url: string, error: unknown): LamplighterError {
  const status = Failure.safeParse(error).data?.response?.status;
  const isFinal = status !== undefined && status >= 400 && status < 500 && status !== 429;
  const reason = status === undefined ? messageOf(error) : `status ${status}`;
  return new LamplighterError(isFinal ? 'refused' : 'unavailable', `call ${url}: ${reason}`, {
    retryable: !isFinal,
    cause: error,
  });
}
