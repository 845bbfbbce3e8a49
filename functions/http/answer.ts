// Answers of all functions: security headers, problem details, one log line per request.

import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Request as ExpressRequest, Response } from 'express';
import { denialOf } from '../denial/denied.ts';
import type { DenialRecorder } from '../denial/recorder.ts';
import type { Log } from '../log.ts';
import { factsOf, HttpFault } from './fault.ts';
import { toProblem } from './problem.ts';

/** The framework's request: Express's with the bytes of the body, which front-door.ts read. */
export type Request = ExpressRequest & { rawBody?: Buffer };
export type { Response };
/** An entry point as the functions framework calls it. */
export type Handler = (req: Request, res: Response) => Promise<void>;

/** What a handler answers; `body` is written as JSON unless it is a text of another `type`; an answer without a body is 204. */
export interface Answer {
  status?: number;
  body?: unknown;
  type?: string;
  headers?: Readonly<Record<string, string>>;
}

const SECURITY_HEADERS = {
  'cache-control': 'no-store',
  'content-security-policy': "default-src 'none'; frame-ancestors 'none'",
  'referrer-policy': 'no-referrer',
  'strict-transport-security': 'max-age=63072000',
  'x-content-type-options': 'nosniff',
};

/** The body's bytes. Throws `invalid-input` (413) over a limit that is narrower than the entry point's own. */
export function bodyOf(req: Request, maxBytes = Number.POSITIVE_INFINITY): Buffer {
  const body = req.rawBody ?? Buffer.alloc(0);
  if (body.byteLength <= maxBytes) return body;
  throw new HttpFault('invalid-input', `read body: larger than ${maxBytes} bytes`, { status: 413 });
}

/** The path without its query, which may hold a ticket. */
export function pathOf(req: IncomingMessage): string {
  return (req.url ?? '').replace(/\?.*$/s, '');
}

/** Sets status and headers, and gives the text to write. */
export function prepareAnswer(res: ServerResponse, answer: Answer): string {
  res.statusCode = answer.status ?? (answer.body === undefined ? 204 : 200);
  for (const [name, value] of Object.entries({ ...SECURITY_HEADERS, ...answer.headers }))
    res.setHeader(name, value);
  if (answer.body === undefined) return '';
  res.setHeader('content-type', answer.type ?? 'application/json');
  return typeof answer.body === 'string' ? answer.body : JSON.stringify(answer.body);
}

function send(res: ServerResponse, answer: Answer): void {
  // The client may have disconnected.
  if (res.headersSent || res.destroyed) return;
  res.end(prepareAnswer(res, answer));
}

/** An error as problem details. */
export function failureAnswer(thrown: unknown): Answer {
  const problem = toProblem(thrown);
  const headers: Record<string, string> = {};
  if (problem.status === 401) headers['www-authenticate'] = 'Bearer';
  if (problem.status === 503) headers['retry-after'] = '1';
  if (problem.status === 429) headers['retry-after'] = String(factsOf(thrown).retryAfterS ?? 1);
  return { status: problem.status, body: problem, type: 'application/problem+json', headers };
}

export interface Answering {
  log: Log;
  denials: DenialRecorder;
  /** The address that a request came from. */
  addressOf(req: IncomingMessage): string;
}

/**
 * Wraps work into a handler: an error becomes problem details, each denial is recorded, and each request writes one log
 * line. `fields.actor` is the caller (`kind:name`), set once the caller is authenticated.
 */
export function answering(
  { log, denials, addressOf }: Answering,
  work: (req: Request, fields: Record<string, unknown>) => Promise<Answer>,
): Handler {
  return async (req, res) => {
    const startedAt = performance.now();
    // Queries may hold tickets: only the path is logged.
    const fields: Record<string, unknown> = { method: req.method, path: pathOf(req) };
    try {
      const answer = await work(req, fields);
      send(res, answer);
      logRequest(log, fields, answer.status ?? 200, startedAt);
    } catch (error) {
      const answer = failureAnswer(error);
      const actor = typeof fields.actor === 'string' ? fields.actor : undefined;
      const denial = denialOf(error, { actor, address: addressOf(req) });
      if (denial) await denials.note(denial);
      send(res, answer);
      const durationMs = Math.round(performance.now() - startedAt);
      const all = { ...fields, status: answer.status, durationMs };
      if ((answer.status ?? 500) >= 500) log.error('request failed', error, all);
      else log.warning('request refused', { ...all, reason: error instanceof Error ? error.message : '' });
    }
  };
}

function logRequest(log: Log, fields: Record<string, unknown>, status: number, startedAt: number): void {
  log.info('request answered', { ...fields, status, durationMs: Math.round(performance.now() - startedAt) });
}
