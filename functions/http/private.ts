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

/** A private entry point: `run` gets the parsed JSON body (`{}` when empty) after the caller was checked, and gives what is answered. */
export function privateHandler(
  deps: PrivateDeps,
  run: (body: unknown, req: Request) => Promise<Answer | undefined>,
): Handler {
  return answering(deps, async (req) => {
    const body = await admit(req, deps);
    return (await run(body.byteLength === 0 ? {} : parseJson(body), req)) ?? {};
  });
}

/** A message that can never be accepted is taken, so that it does not come again and again, and written down as a denial. */
async function takeUnacceptable(
  { denials }: Pick<Deps, 'denials'>,
  subject: 'unreadable-body' | 'malformed-push',
  fault: LamplighterError,
): Promise<Answer> {
  // Whoever published it is not known: Google's push brings it.
  const source = { source: 'unknown', isProven: false };
  const { bytes } = factsOf(fault);
  const detail = { reason: fault.message, ...(bytes === undefined ? {} : { bytes }) };
  const isNoted = await denials.note({ ...source, action: 'message.refused', subject, detail });
  if (isNoted) return {};
  // It comes again, so that it leaves a trace.
  return failureAnswer(
    new LamplighterError('unavailable', 'take message: its denial could not be written down', {
      retryable: true,
    }),
  );
}

/** A body that will be the same when it comes again; one that came too slowly, or for which there was no room, may be read then. */
function isFinal(error: unknown): error is HttpFault {
  return error instanceof HttpFault && (error.facts.status === 413 || error.facts.status === 415);
}

/**
 * For the front door of a push entry point: takes a message whose body can't be read, if its sender may push. Gives nothing
 * where the fault is the answer.
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

/** What a body says, or why it says nothing that we understand and never will. */
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

/** A private entry point that Pub/Sub pushes to. As `privateHandler`, but a body that `parse` refuses with `invalid-input` is taken. */
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
 * A Pub/Sub push entry point. What `run` returns is logged as the outcome and acknowledges the message; whatever it
 * throws sends the message again. So a permanent fault must be recorded and returned.
 */
export function pushHandler(deps: PrivateDeps, run: (message: PushMessage) => Promise<string>): Handler {
  return pushedHandler(deps, parsePush, async (message, fields) => {
    fields.messageId = message.id;
    fields.deliveryAttempt = message.deliveryAttempt;
    fields.outcome = await run(message);
    return {};
  });
}
