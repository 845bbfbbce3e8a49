// Entry points that only Google's services and our own functions call: POST, with an identity token.

import type { IncomingMessage } from 'node:http';
import { LamplighterError } from '#shared/errors.ts';
import { type PushMessage, parsePush } from '../cloud/push.ts';
import type { Deps } from '../deps.ts';
import { type Answer, answering, bodyOf, failureAnswer, type Handler, type Request } from './answer.ts';
import { factsOf, HttpFault } from './fault.ts';
import { parseJson } from './json-body.ts';

type PrivateDeps = Pick<Deps, 'verifyCaller' | 'log' | 'denials' | 'addressOf'>;

async function admit(req: Request, deps: PrivateDeps): Promise<Buffer> {
  if (req.method !== 'POST') {
    throw new HttpFault('invalid-input', 'call function: only POST is answered', { status: 405 });
  }
  await deps.verifyCaller(req.headers);
  return bodyOf(req);
}

/** A private entry point. Once the caller is verified, `run` gets the JSON body (`{}` when empty) and returns the answer. */
export function privateHandler(
  deps: PrivateDeps,
  run: (body: unknown, req: Request) => Promise<Answer | undefined>,
): Handler {
  return answering(deps, async (req) => {
    const body = await admit(req, deps);
    return (await run(body.byteLength === 0 ? {} : parseJson(body), req)) ?? {};
  });
}

/** Acknowledges a message that can never be accepted, so that Pub/Sub does not redeliver it, and records a denial. */
async function takeUnacceptable(
  { denials }: Pick<Deps, 'denials'>,
  subject: 'unreadable-body' | 'malformed-push',
  fault: LamplighterError,
): Promise<Answer> {
  // The publisher is not known: the push comes from Google.
  const source = { source: 'unknown', isProven: false };
  const { bytes } = factsOf(fault);
  const detail = { reason: fault.message, ...(bytes === undefined ? {} : { bytes }) };
  const isNoted = await denials.note({ ...source, action: 'message.refused', subject, detail });
  if (isNoted) return {};
  // Pub/Sub redelivers the message, so that the denial is recorded then.
  return failureAnswer(
    new LamplighterError('unavailable', 'take message: the denial could not be stored', {
      retryable: true,
    }),
  );
}

/** True for a body that a redelivery can't make readable. A body that was too slow, or had no room, may be read on redelivery. */
function isFinal(error: unknown): error is HttpFault {
  return error instanceof HttpFault && (error.facts.status === 413 || error.facts.status === 415);
}

/**
 * For the front door of a push entry point: acknowledges a message whose body can't be read, if the caller may push. Returns
 * undefined where the fault is the answer.
 */
export function acknowledgeUnreadable(deps: PrivateDeps) {
  return async ({ headers }: IncomingMessage, error: unknown): Promise<Answer | undefined> => {
    if (!isFinal(error)) return undefined;
    const isCaller = await deps.verifyCaller(headers).then(
      () => true,
      () => false,
    );
    return isCaller ? await takeUnacceptable(deps, 'unreadable-body', error) : undefined;
  };
}

/** The parsed body, or why it can never be parsed. */
function parseBody<T>(
  body: Buffer,
  parse: (value: unknown) => T,
): { value: T } | { fault: LamplighterError } {
  try {
    return { value: parse(body.byteLength === 0 ? {} : parseJson(body)) };
  } catch (error) {
    if (error instanceof LamplighterError && error.code === 'invalid-input') return { fault: error };
    throw error;
  }
}

/** A `privateHandler` for Pub/Sub pushes: a body that `parse` refuses with `invalid-input` is acknowledged. */
export function pushedHandler<T>(
  deps: PrivateDeps,
  parse: (body: unknown) => T,
  run: (parsed: T, fields: Record<string, unknown>) => Promise<Answer>,
): Handler {
  return answering(deps, async (req, fields) => {
    const parsed = parseBody(await admit(req, deps), parse);
    if ('value' in parsed) return await run(parsed.value, fields);
    fields.outcome = `refused: ${parsed.fault.message}`;
    return await takeUnacceptable(deps, 'malformed-push', parsed.fault);
  });
}

/**
 * A Pub/Sub push entry point. What `run` returns is logged as the outcome and acknowledges the message; an error
 * makes Pub/Sub redeliver the message. So a permanent fault must be recorded and returned.
 */
export function pushHandler(deps: PrivateDeps, run: (message: PushMessage) => Promise<string>): Handler {
  return pushedHandler(deps, parsePush, async (message, fields) => {
    fields.messageId = message.id;
    fields.deliveryAttempt = message.deliveryAttempt;
    fields.outcome = await run(message);
    return {};
  });
}
