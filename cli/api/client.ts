// The HTTP API as lamp uses it: every answer is parsed, every failure becomes an error that says what to do next.
import type * as z from 'zod';
import { LamplighterError, messageOf } from '#shared/errors.ts';
import { describeIssue } from '#shared/plain-issue.ts';
import type { Io } from '../io.ts';
import type { Settings } from '../settings/resolve.ts';
import { problemToError } from './problem.ts';

export interface RequestOptions {
  /** A body of JSON, unless `contentType` says otherwise. */
  body?: string;
  contentType?: string;
  timeoutMs?: number;
  signal?: AbortSignal;
}

type Method = 'GET' | 'POST' | 'PUT';

const DEFAULT_TIMEOUT_MS = 30_000;

export interface ApiClient {
  readonly url: string;
  /** Sends one request and parses the answer. Throws `LamplighterError`; `unavailable` when nothing (sensible) answered. */
  call<T extends z.ZodType>(
    method: Method,
    path: string,
    schema: T,
    options?: RequestOptions,
  ): Promise<z.infer<T>>;
}

/** A client of one control plane. The token travels only in the Authorization header, never in a message. */
export function apiClient(settings: Settings, io: Pick<Io, 'fetch' | 'interrupted'>): ApiClient {
  const base = settings.url.replace(/\/+$/, '');
  return {
    url: base,
    async call(method, path, schema, options = {}) {
      const response = await send(method, `${base}${path}`, settings, options, io);
      const text = await readBody(response, base);
      if (!response.ok) throw problemToError(response.status, text, base);
      return parseAnswer(text, schema, `${method} ${path.replace(/\?.*/, '')}`, base);
    },
  };
}

async function send(
  method: Method,
  url: string,
  settings: Settings,
  options: RequestOptions,
  io: Pick<Io, 'fetch' | 'interrupted'>,
): Promise<Response> {
  const timeout = AbortSignal.timeout(options.timeoutMs ?? DEFAULT_TIMEOUT_MS);
  try {
    return await io.fetch(url, {
      method,
      headers: {
        authorization: `Bearer ${settings.token.reveal()}`,
        accept: 'application/json',
        ...(options.body === undefined ? {} : { 'content-type': options.contentType ?? 'application/json' }),
      },
      ...(options.body === undefined ? {} : { body: options.body }),
      // A redirect could carry the token elsewhere; the API has none.
      redirect: 'error',
      signal: AbortSignal.any([io.interrupted, timeout, ...(options.signal ? [options.signal] : [])]),
    });
  } catch (error) {
    throw unreachable(new URL(url).origin, error);
  }
}

async function readBody(response: Response, base: string): Promise<string> {
  try {
    return await response.text();
  } catch (error) {
    throw unreachable(base, error);
  }
}

function parseAnswer<T extends z.ZodType>(text: string, schema: T, what: string, base: string): z.infer<T> {
  let value: unknown;
  try {
    // 204: done, and nothing to say.
    value = text === '' ? undefined : JSON.parse(text);
  } catch (error) {
    throw new LamplighterError('unavailable', `read answer of ${base}: it is not JSON`, {
      hint: `Is ${base} the address of a Lamplighter API?`,
      cause: error,
    });
  }
  const parsed = schema.safeParse(value);
  if (parsed.success) return parsed.data;
  const fault = parsed.error.issues[0];
  throw new LamplighterError(
    'internal',
    `read answer to ${what}: ${fault?.path.join('.') || 'document'}: ${fault ? describeIssue(fault) : 'malformed'}`,
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
