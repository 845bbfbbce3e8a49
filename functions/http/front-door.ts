// Stands before the functions framework on every entry point: what is too large, packed, or too slow is refused at the
// socket, and the framework gets requests whose bodies were already read, which its own parsers leave alone. index.ts
// puts it there.

import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import type { ErrorRequestHandler } from 'express';
import * as z from 'zod';
import { LamplighterError } from '#shared/errors.ts';
import { type Answer, type Answering, answering, failureAnswer, pathOf, prepareAnswer } from './answer.ts';
import type { BodyLimits } from './body-limits.ts';
import { type ByteBudget, createByteBudget } from './byte-budget.ts';
import { HttpFault } from './fault.ts';
import { readBody } from './read-body.ts';

/** A refused sender that still sends would not see the answer: so much of its body is thrown away first. */
const MAX_DISCARDED_BYTES = 32 * 1024 * 1024;
const DISCARD_TIMEOUT_MS = 2000;
/** A body of some kilobytes comes within this over any connection that people work with. */
const SLOW_AFTER_MS = 1000;

/** What Express throws by itself: after the body was read, only a malformed path is left. */
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

/** What is answered when a body was refused: the fault, unless the entry point knows better. */
async function refusalAnswer(req: IncomingMessage, error: unknown, terms: FrontDoorTerms): Promise<Answer> {
  const answer = (await terms.answerUnreadable?.(req, error)) ?? failureAnswer(error);
  const reason = error instanceof Error ? error.message : '';
  const fields = { method: req.method, path: pathOf(req), status: answer.status ?? 204, reason };
  terms.answeringWith.log.warning('request refused', fields);
  return answer;
}

async function refuse(
  req: IncomingMessage,
  res: ServerResponse,
  error: unknown,
  terms: FrontDoorTerms,
): Promise<void> {
  const answer = await refusalAnswer(req, error, terms);
  if (res.destroyed) return;
  const text = prepareAnswer(res, answer);
  res.setHeader('connection', 'close');
  if (text !== '') res.setHeader('content-length', Buffer.byteLength(text)).write(text);
  await discardRest(req);
  res.end();
}

export interface FrontDoorTerms {
  limits: BodyLimits;
  /** For what is refused here. */
  answeringWith: Answering;
  /** Another answer than the fault for a body that can't be read, where there is one. */
  answerUnreadable?: (req: IncomingMessage, error: unknown) => Promise<Answer | undefined>;
}

async function admit(
  req: IncomingMessage & { rawBody?: Buffer },
  res: ServerResponse,
  terms: FrontDoorTerms,
  budget: ByteBudget,
): Promise<boolean> {
  try {
    const address = terms.answeringWith.addressOf(req);
    const body = await readBody(req, { ...terms.limits.limitOf(req), budget, address });
    res.once('close', body.release);
    req.rawBody = body.bytes;
    return true;
  } catch (error) {
    await refuse(req, res, error, terms);
    return false;
  }
}

/** Puts the front door before the framework's Express on this server. Throws when there is none: nothing would be limited. */
export function openFrontDoor(server: Server, terms: FrontDoorTerms): void {
  const { maxHeldBytes, maxHeldBytesPerAddress } = terms.limits;
  const budget = createByteBudget({
    totalBytes: maxHeldBytes,
    bytesPerAddress: maxHeldBytesPerAddress,
    slowAfterMs: SLOW_AFTER_MS,
    nowMs: () => performance.now(),
  });
  const onError: ErrorRequestHandler = (error: unknown, req, res, _next) =>
    // Express knows a handler of errors by its four parameters.
    answering(terms.answeringWith, () => Promise.reject(asOurs(error)))(req, res);
  const frameworks = server.listeners('request').filter(isExpress);
  if (frameworks.length === 0) {
    throw new LamplighterError('internal', 'open front door: no listener of the server is the framework', {
      hint: 'Another version of the functions framework may wrap its application: hold functions/http/front-door.ts against it.',
    });
  }
  for (const framework of frameworks) {
    framework.use(onError);
    server.off('request', framework);
    server.on('request', (req: IncomingMessage, res: ServerResponse) => {
      void admit(req, res, terms, budget).then((isAdmitted) => isAdmitted && framework(req, res));
    });
  }
}
