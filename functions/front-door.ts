// Stands before the functions framework on every entry point: what is too large, packed, or too slow is refused at the
// socket, and the framework gets requests whose bodies were already read, which its own parsers leave alone. index.ts
// puts it there.
import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import type { ErrorRequestHandler } from 'express';
import { z } from 'zod';
import { LamplighterError } from '#shared/errors.ts';
import { type Answering, answering, failureAnswer, pathOf, prepareAnswer } from './http.ts';
import type { Log } from './log.ts';
import { type ByteBudget, createByteBudget, readBody } from './read-body.ts';

/** A sender that is not done within this is cut off. */
const BODY_TIMEOUT_MS = 30_000;
/** All bodies of a process together: a function has 512 MiB, and what is parsed takes several times its text. */
const MAX_HELD_BYTES = 48 * 1024 * 1024;
/** A refused sender that still sends would not see the answer: so much of its body is thrown away first. */
const MAX_DISCARDED_BYTES = 32 * 1024 * 1024;
const DISCARD_TIMEOUT_MS = 2000;

/** What Express throws by itself: after the body was read, only a malformed path is left. */
const Refusal = z.object({ status: z.int().min(400).max(499) });

function asOurs(error: unknown): unknown {
  const refusal = Refusal.safeParse(error).data;
  if (!refusal) return error;
  const fault =
    error instanceof URIError ? 'read path: it has a malformed escape' : 'read request: it is malformed';
  return new LamplighterError('invalid-input', fault, { cause: error, details: { status: refusal.status } });
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

async function refuse(req: IncomingMessage, res: ServerResponse, error: unknown, log: Log): Promise<void> {
  const answer = failureAnswer(error);
  const reason = error instanceof Error ? error.message : '';
  log.warning('request refused', { method: req.method, path: pathOf(req), status: answer.status, reason });
  if (res.destroyed) return;
  const text = prepareAnswer(res, answer);
  res.setHeader('connection', 'close').setHeader('content-length', Buffer.byteLength(text));
  res.write(text);
  await discardRest(req);
  res.end();
}

export interface FrontDoorTerms {
  /** The largest body that this entry point takes. */
  maxBodyBytes: number;
  /** For what is refused here. */
  answeringWith: Answering;
  bodyTimeoutMs?: number;
  maxHeldBytes?: number;
}

async function admit(
  req: IncomingMessage & { rawBody?: Buffer },
  res: ServerResponse,
  { maxBodyBytes, answeringWith, bodyTimeoutMs = BODY_TIMEOUT_MS }: FrontDoorTerms,
  budget: ByteBudget,
): Promise<boolean> {
  try {
    const body = await readBody(req, { maxBytes: maxBodyBytes, timeoutMs: bodyTimeoutMs, budget });
    res.once('close', () => budget.giveBack(body.heldBytes));
    req.rawBody = body.bytes;
    return true;
  } catch (error) {
    await refuse(req, res, error, answeringWith.log);
    return false;
  }
}

/** Puts the front door before the framework's Express on this server. */
export function openFrontDoor(server: Server, terms: FrontDoorTerms): void {
  const budget = createByteBudget(terms.maxHeldBytes ?? MAX_HELD_BYTES);
  const onError: ErrorRequestHandler = (error: unknown, req, res, _next) =>
    // Express knows a handler of errors by its four parameters.
    answering(terms.answeringWith, () => Promise.reject(asOurs(error)))(req, res);
  for (const framework of server.listeners('request')) {
    if (!isExpress(framework)) continue;
    framework.use(onError);
    server.off('request', framework);
    server.on('request', (req: IncomingMessage, res: ServerResponse) => {
      void admit(req, res, terms, budget).then((isAdmitted) => isAdmitted && framework(req, res));
    });
  }
}
