// The local stack's own use of the HTTP API: it enrols the host, applies the runbook, and watches for the live view and the
// tour, as any other client would.
import { ROUTES } from '#shared/api/routes.ts';
import type { CommandRequest, CommandView } from '#shared/api/views.ts';
import { isSettled } from '#shared/command/state.ts';
import { type ApiClient, apiClient } from '#shared/kit/api-client.ts';
import { Secret } from '#shared/secret.ts';

export interface ControlClient extends ApiClient {
  /** Asks for a command and waits until it is settled. */
  runCommand(request: Pick<CommandRequest, 'operation'> & Partial<CommandRequest>): Promise<CommandView>;
}

const WAIT_S = 25;
const TIMEOUT_MS = (WAIT_S + 15) * 1000;

/** A client with a token of the local stack. */
export function createControlClient(url: string, token: string): ControlClient {
  const client = apiClient({ url, token: new Secret(token), fetch });
  return {
    ...client,
    runCommand: async (request) => {
      const { id } = await client.call(ROUTES.requestCommand, { body: request });
      for (let after = 0; ; ) {
        const input = { params: { id }, query: { waitS: WAIT_S, after } };
        const { command, events } = await client.call(ROUTES.readCommand, input, { timeoutMs: TIMEOUT_MS });
        if (isSettled(command.state)) return command;
        after = events.at(-1)?.seq ?? after;
      }
    },
  };
}
