// A client of the HTTP API's table: every answer is parsed, every failure becomes an error that says what to do next.
import type * as z from 'zod';
import { type PreparedRequest, prepareRequest, type RouteDefinition, type RouteInput } from '../api/route.ts';
import { LamplighterError, messageOf } from '../errors.ts';
import { describeFault } from '../plain-issue.ts';
import type { Secret } from '../secret.ts';
import { problemToError } from './api-problem.ts';

export interface RequestOptions {
  timeoutMs?: number;
  signal?: AbortSignal;
}

const DEFAULT_TIMEOUT_MS = 30_000;

export interface ApiClient {
  readonly url: string;
  /** Asks a route and parses the answer. Throws `LamplighterError`; `unavailable` when nothing (sensible) answered. */
  call<P extends string, Q extends z.ZodType, B extends z.ZodType, A extends z.ZodType>(
    route: RouteDefinition<P, Q, B, A>,
    input: RouteInput<P, Q, B>,
    options?: RequestOptions,
  ): Promise<z.infer<A>>;
}

export interface ClientSettings {
  /** Where the control plane's API is. */
  url: string;
  token: Secret;
  fetch: typeof fetch;
  /** Ends every request. */
  interrupted?: AbortSignal;
}

/** A client of one control plane. The token travels only in the Authorization header, never in a message. */
export function apiClient(settings: ClientSettings): ApiClient {
  const base = settings.url.replace(/\/+$/, '');
  return {
    url: base,
    async call(route, input, options = {}) {
      const request = prepareRequest(route, input);
      const response = await send(request, base, settings, options);
      const text = await readBody(response, base);
      if (!response.ok) throw problemToError(response.status, text, base);
      return parseAnswer(text, route, base);
    },
  };
}

async function send(
  { method, target, body }: PreparedRequest,
  base: string,
  { token, fetch, interrupted }: ClientSettings,
  { timeoutMs = DEFAULT_TIMEOUT_MS, signal }: RequestOptions,
): Promise<Response> {
  const signals = [AbortSignal.timeout(timeoutMs), interrupted, signal];
  try {
    return await fetch(`${base}${target}`, {
      method,
      headers: {
        authorization: `Bearer ${token.reveal()}`,
        accept: 'application/json',
        ...(body ? { 'content-type': body.contentType } : {}),
      },
      ...(body ? { body: body.text } : {}),
      // A redirect could carry the token elsewhere; the API has none.
      redirect: 'error',
      signal: AbortSignal.any(signals.filter((each) => each !== undefined)),
    });
  } catch (error) {
    throw unreachable(new URL(base).origin, error);
  }
}

async function readBody(response: Response, base: string): Promise<string> {
  try {
    return await response.text();
  } catch (error) {
    throw unreachable(base, error);
  }
}

function parseAnswer<A extends z.ZodType>(
  text: string,
  { method, path, answer, answerType }: RouteDefinition<string, z.ZodType, z.ZodType, A>,
  base: string,
): z.infer<A> {
  let value: unknown = text;
  // defineRoute's default for `A` is the schema of undefined.
  if (answer === undefined) return undefined as z.infer<A>;
  try {
    if (answerType === undefined) value = JSON.parse(text);
  } catch (error) {
    throw new LamplighterError('unavailable', `read answer of ${base}: it is not JSON`, {
      hint: `Is ${base} the address of a Lamplighter API?`,
      cause: error,
    });
  }
  const parsed = answer.safeParse(value);
  if (parsed.success) return parsed.data;
  throw new LamplighterError(
    'internal',
    `read answer to ${method} ${path}: ${describeFault(parsed.error, 'document')}`,
    { hint: 'lamp and the control plane may be of different versions.' },
  );
}

/** The reason deep inside what `fetch` throws: it wraps the system's error in a cause or two. */
function rootCause(error: unknown): string {
  if (error instanceof Error && error.name === 'TimeoutError') return 'no answer in time';
  if (error instanceof AggregateError && error.errors.length > 0) return rootCause(error.errors[0]);
  if (error instanceof Error && error.cause !== undefined) return rootCause(error.cause);
  const said = messageOf(error);
  // Node's fetch speaks to none of the ports that browsers keep for other protocols.
  return said === 'bad port' ? 'no http client goes to this port, which belongs to another protocol' : said;
}

function unreachable(origin: string, error: unknown): LamplighterError {
  return new LamplighterError('unavailable', `reach control plane ${origin}: ${rootCause(error)}`, {
    retryable: true,
    hint: 'Is it running (`npm start`), and is the address right (LAMP_URL)?',
    cause: error,
  });
}
