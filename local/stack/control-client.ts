// The local stack's own client of the HTTP API: it enrols the host, applies the runbook, and watches for the live view
// and the tour, as any other client would.
import * as z from 'zod';
import { CommandDetail, type CommandRequest, CommandView, Problem, StatusView } from '#shared/api/views.ts';
import { isSettled } from '#shared/command/state.ts';
import { LamplighterError } from '#shared/errors.ts';
import type { DsseEnvelope } from '#shared/signing/dsse.ts';

export interface ControlClient {
  status(): Promise<StatusView>;
  enrolHost(name: string, enrolment: DsseEnvelope): Promise<void>;
  applyRunbook(text: string): Promise<void>;
  /** Asks for a command and waits until it is settled. */
  runCommand(request: Pick<CommandRequest, 'operation'> & Partial<CommandRequest>): Promise<CommandView>;
  get<T extends z.ZodType>(path: string, schema: T): Promise<z.infer<T>>;
}

const WAIT_S = 25;

/** A client with a token of the local stack. */
export function createControlClient(baseUrl: string, token: string): ControlClient {
  const call = async (method: string, path: string, type: string, body?: string): Promise<unknown> => {
    const response = await fetch(new URL(path, baseUrl), {
      method,
      headers: { authorization: `Bearer ${token}`, ...(body === undefined ? {} : { 'content-type': type }) },
      ...(body === undefined ? {} : { body }),
      signal: AbortSignal.timeout((WAIT_S + 15) * 1000),
    });
    const answer: unknown = await response.json();
    if (response.ok) return answer;
    const problem = Problem.safeParse(answer);
    const reason = problem.data?.detail ?? `status ${response.status}`;
    throw new LamplighterError('failed', `${method} ${path}: ${reason}`, { hint: problem.data?.hint ?? '' });
  };
  const json = (method: string, path: string, body: unknown) =>
    call(method, path, 'application/json', JSON.stringify(body));
  return {
    status: async () => StatusView.parse(await call('GET', '/v1/status', '')),
    enrolHost: async (name, enrolment) => void (await json('PUT', `/v1/hosts/${name}`, enrolment)),
    applyRunbook: async (text) => void (await call('PUT', '/v1/runbook', 'text/yaml', text)),
    runCommand: async (request) => {
      const { id } = z.object({ id: z.string() }).parse(await json('POST', '/v1/commands', request));
      for (let after = 0; ; ) {
        const path = `/v1/commands/${id}?waitS=${WAIT_S}&after=${after}`;
        const { command, events } = CommandDetail.parse(await call('GET', path, ''));
        if (isSettled(command.state)) return command;
        after = events.at(-1)?.seq ?? after;
      }
    },
    get: async (path, schema) => schema.parse(await call('GET', path, '')),
  };
}
