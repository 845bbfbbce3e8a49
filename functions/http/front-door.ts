// Reads each request's body before the functions framework does. A body that is too large, compressed or too slow is
// refused at the socket; the framework gets requests whose bodies were already read, which its own parsers skip. index.ts
// installs it on every entry point.

import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import type { ErrorRequestHandler } from 'express';
import * as z from 'zod';
import { LamplighterError } from '#shared/errors.ts';
import { type Answer, type Answering, answering, failureAnswer, pathOf, prepareAnswer } from './answer.ts';
import type { BodyLimits } from './body-limits.ts';
import { type ByteBudget, createByteBudget } from './byte-budget.ts';
import { HttpFault } from './fault.ts';
import { readBody } from './read-body.ts';

/** A sender reads the answer only when it has sent its body, so up to this much of a refused body is read and discarded. */
const MAX_DISCARDED_BYTES = 32 * 1024 * 1024;
const DISCARD_TIMEOUT_MS = 2000;
/** A body of some kilobytes arrives within this time over any usual connection. */
const SLOW_AFTER_MS = 1000;

/** The errors that Express itself throws. Since the body was already read, only a malformed path is left. */
const Refusal = z.lazy(() => z.object({ status: z.int().min(400).max(499) }));

function asOurs(error: unknown): unknown {
  const refusal = Refusal.safeParse(error).data;
  if (!refusal) return error;
  const fault =
    error instanceof URIError ? 'read path: it has a malformed escape' : 'read request: it is malformed';
  return new HttpFault('invalid-input', fault, { cause: error, status: refusal.status });
}

type Listener = (req: IncomingMessage, res: ServerResponse) => unknown;

interface ErrorHandling {
  use(handler: ErrorRequestHandler): unknown;
}

function isExpress(listener: unknown): listener is Listener & ErrorHandling {
  return typeof listener === 'function' && 'use' in listener && typeof listener.use === 'function';
}

async function discardRest(req: IncomingMessage): Promise<void> {
  if (req.complete || req.destroyed) return;
  await new Promise<void>((resolve) => {
    let bytes = 0;
    const timer = setTimeout(resolve, DISCARD_TIMEOUT_MS);
    const done = (): void => {
      clearTimeout(timer);
      resolve();
    };
    req.on('data', (piece: Buffer) => {
      bytes += piece.byteLength;
      if (bytes > MAX_DISCARDED_BYTES) done();
    });
    req.once('end', done).once('close', done);
    req.resume();
  });
}

/** The answer to a refused body: the entry point's own, or else the fault. */
async function refusalAnswer(
  req: IncomingMessage,
  error: unknown,
  options: FrontDoorOptions,
): Promise<Answer> {
  const answer = (await options.answerUnreadable?.(req, error)) ?? failureAnswer(error);
  const reason = error instanceof Error ? error.message : '';
  const fields = { method: req.method, path: pathOf(req), status: answer.status ?? 204, reason };
  options.answeringWith.log.warning('request refused', fields);
  return answer;
}

async function refuse(
  req: IncomingMessage,
  res: ServerResponse,
  error: unknown,
  options: FrontDoorOptions,
): Promise<void> {
  const answer = await refusalAnswer(req, error, options);
  if (res.destroyed) return;
  const text = prepareAnswer(res, answer);
  res.setHeader('connection', 'close');
  if (text !== '') res.setHeader('content-length', Buffer.byteLength(text)).write(text);
  await discardRest(req);
  res.end();
}

export interface FrontDoorOptions {
  limits: BodyLimits;
  /** Logs and answers a refused request. */
  answeringWith: Answering;
  /** An entry point's own answer to a body that can't be read; undefined answers with the fault. */
  answerUnreadable?: (req: IncomingMessage, error: unknown) => Promise<Answer | undefined>;
}

async function admit(
  req: IncomingMessage & { rawBody?: Buffer },
  res: ServerResponse,
  options: FrontDoorOptions,
  budget: ByteBudget,
): Promise<boolean> {
  try {
    const address = options.answeringWith.addressOf(req);
    const body = await readBody(req, { ...options.limits.limitOf(req), budget, address });
    res.once('close', body.release);
    req.rawBody = body.bytes;
    return true;
  } catch (error) {
    await refuse(req, res, error, options);
    return false;
  }
}

/**
 * Installs the front door before the framework's Express on this server. Throws `internal` when the server has no Express
 * listener, since bodies would then have no limit.
 */
export function openFrontDoor(server: Server, options: FrontDoorOptions): void {
  const { maxHeldBytes, maxHeldBytesPerAddress } = options.limits;
  const budget = createByteBudget({
    totalBytes: maxHeldBytes,
    bytesPerAddress: maxHeldBytesPerAddress,
    slowAfterMs: SLOW_AFTER_MS,
    nowMs: () => performance.now(),
  });
  const onError: ErrorRequestHandler = (error: unknown, req, res, _next) =>
    // Express recognises an error handler by its four parameters.
    answering(options.answeringWith, () => Promise.reject(asOurs(error)))(req, res);
  const frameworks = server.listeners('request').filter(isExpress);
  if (frameworks.length === 0) {
    throw new LamplighterError('internal', 'open front door: no listener of the server is the framework', {
      hint: 'Another version of the functions framework may wrap its application: compare functions/http/front-door.ts with it.',
    });
  }
  for (const framework of frameworks) {
    framework.use(onError);
    server.off('request', framework);
    server.on('request', (req: IncomingMessage, res: ServerResponse) => {
      void admit(req, res, options, budget).then((isAdmitted) => isAdmitted && framework(req, res));
    });
  }
}
