// Requests that the functions framework turns down before any handler of ours is called: its body parser comes first, and
// Express would answer in HTML. index.ts puts this behind every entry point.
import type { Server } from 'node:http';
import type { ErrorRequestHandler } from 'express';
import { z } from 'zod';
import { LamplighterError } from '#shared/errors.ts';
import { answering, type Handler, type Request } from './http.ts';
import type { Log } from './log.ts';

/** What Express and its body parser throw (github.com/expressjs/body-parser#errors). */
const Refusal = z.object({ status: z.int().min(400).max(499), type: z.string().optional() });

/** The parser has all bytes and does not like them. Handlers read the bytes themselves, and check who asks before that. */
const READ_ALL_THE_SAME = new Set([
  'entity.parse.failed',
  'parameters.too.many',
  'querystring.parse.rangeError',
]);

const FAULTS: Record<string, string> = {
  'charset.unsupported': 'read body: its charset is not known here, send UTF-8',
  'encoding.unsupported': 'read body: its content encoding is not known here',
  'entity.too.large': 'read body: it is too large',
  'request.size.invalid': 'read body: it is not as long as its content-length says',
};

function faultOf(error: unknown, type: string | undefined): string {
  // Only the path is decoded besides the body.
  if (error instanceof URIError) return 'read path: it has a malformed escape';
  return FAULTS[type ?? ''] ?? 'read body: it could not be read';
}

function asOurs(error: unknown): unknown {
  const refusal = Refusal.safeParse(error).data;
  if (!refusal) return error;
  const { status, type } = refusal;
  return new LamplighterError('invalid-input', faultOf(error, type), { cause: error, details: { status } });
}

function isReadAllTheSame(error: unknown, { rawBody }: Request): boolean {
  return rawBody !== undefined && READ_ALL_THE_SAME.has(Refusal.safeParse(error).data?.type ?? '');
}

interface ErrorHandling {
  use(handler: ErrorRequestHandler): unknown;
}

function isExpress(listener: unknown): listener is ErrorHandling {
  return typeof listener === 'function' && 'use' in listener && typeof listener.use === 'function';
}

/** Has what the framework refuses on this server answered as `handler` answers. */
export function answerRefused(server: Server, handler: Handler, log: Log): void {
  // Express knows a handler of errors by its four parameters.
  const onError: ErrorRequestHandler = (error: unknown, req, res, _next) =>
    isReadAllTheSame(error, req)
      ? handler(req, res)
      : answering(log, () => Promise.reject(asOurs(error)))(req, res);
  for (const listener of server.listeners('request')) if (isExpress(listener)) listener.use(onError);
}
