// Entry points that only Google's services and our own functions call: POST, with an identity token.
import { LamplighterError } from '#shared/errors.ts';
import { type PushMessage, parsePush } from './cloud/push.ts';
import type { Deps } from './deps.ts';
import { type Answer, answering, bodyOf, type Handler, type Request } from './http.ts';
import { parseJson } from './json-body.ts';

type PrivateDeps = Pick<Deps, 'verifyCaller' | 'log' | 'denials' | 'addressOf'>;

async function admit(req: Request, deps: PrivateDeps): Promise<Buffer> {
  if (req.method !== 'POST') {
    throw new LamplighterError('invalid-input', 'call function: only POST is answered', {
      details: { status: 405 },
    });
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

/**
 * A Pub/Sub push entry point. What `run` returns is logged as the outcome and acknowledges the message; whatever it
 * throws sends the message again. So a permanent fault must be recorded and returned.
 */
export function pushHandler(deps: PrivateDeps, run: (message: PushMessage) => Promise<string>): Handler {
  return answering(deps, async (req, fields) => {
    const message = parsePush(parseJson(await admit(req, deps)));
    fields.messageId = message.id;
    fields.deliveryAttempt = message.deliveryAttempt;
    fields.outcome = await run(message);
    return {};
  });
}
