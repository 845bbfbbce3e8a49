// Webhooks for manual actions: a POST with an HMAC over time stamp and body, bound in the runbook to one operation and
// the parameters that may be chosen.

import { createHmac, timingSafeEqual } from 'node:crypto';
import * as z from 'zod';
import { ROUTES } from '#shared/api/routes.ts';
import type { CommandRequested } from '#shared/api/views.ts';
import { LamplighterError } from '#shared/errors.ts';
import type { Webhook } from '#shared/runbook/schema.ts';
import type { Secret } from '#shared/secret.ts';
import { requestCommand } from '../command/request.ts';
import type { Deps } from '../deps.ts';
import { HttpFault } from '../http/fault.ts';
import { parseJson } from '../http/json-body.ts';
import { type PublicContext, parseBody } from '../http/route.ts';
import { findRunbook } from '../store/runbooks.ts';
import { claimWebhookCall } from '../store/webhook-calls.ts';
import { chooseWebhookParams } from './params.ts';

type WebhookDeps = Pick<Deps, 'config' | 'db' | 'clock' | 'log' | 'signCommand'>;

const TIMESTAMP_HEADER = 'lamplighter-timestamp';
const SIGNATURE_HEADER = 'lamplighter-signature';
/** How far a call's time stamp may be from our clock, either way. */
const TOLERANCE_S = 300;

const Headers = z.lazy(() =>
  z.object({
    [TIMESTAMP_HEADER]: z.string().regex(/^\d{1,12}$/),
    [SIGNATURE_HEADER]: z.string().regex(/^v1=[0-9a-f]{64}$/),
  }),
);

/** HMAC-SHA256 in hex over `${timestamp}.${body}`. */
export function webhookSignature(key: string, timestamp: string, body: Uint8Array): string {
  return createHmac('sha256', key).update(`${timestamp}.`).update(body).digest('hex');
}

function unauthenticated(): LamplighterError {
  // The same answer for an unknown name and a bad signature, so that names can't be guessed.
  return new LamplighterError('unauthenticated', 'check webhook: there is no valid signature', {
    hint: `Send ${TIMESTAMP_HEADER} (unix seconds) and ${SIGNATURE_HEADER}: v1=HMAC-SHA256("TIMESTAMP.BODY") in hex.`,
  });
}

interface Call {
  name: string;
  webhook: Webhook;
  signature: string;
}

interface Claim {
  timestamp: string;
  /** `v1=…`, as sent. */
  given: string;
}

/** The call's time stamp and signature headers. Throws `unauthenticated` when they are malformed or not recent. */
function readClaim({ clock }: Pick<Deps, 'clock'>, { headers }: PublicContext): Claim {
  const parsed = Headers.safeParse(headers);
  if (!parsed.success) throw unauthenticated();
  const { [TIMESTAMP_HEADER]: timestamp, [SIGNATURE_HEADER]: given } = parsed.data;
  const ageS = clock().getTime() / 1000 - Number(timestamp);
  if (Math.abs(ageS) > TOLERANCE_S) {
    throw new LamplighterError(
      'unauthenticated',
      `check webhook: its time stamp is more than ${TOLERANCE_S} s from now`,
      {
        hint: 'Sign each call when it is sent, and check the clock of the sender.',
      },
    );
  }
  return { timestamp, given };
}

function isSignedWith(key: Secret, { timestamp, given }: Claim, body: Uint8Array): boolean {
  const signature = webhookSignature(key.reveal(), timestamp, body);
  return timingSafeEqual(Buffer.from(`v1=${signature}`), Buffer.from(given));
}

/** The name of the key that signed the call, whichever webhook it is for: this needs no database. */
export function findSigningKey(
  deps: Pick<WebhookDeps, 'config' | 'clock'>,
  context: PublicContext,
): string | undefined {
  try {
    const claim = readClaim(deps, context);
    const keys = [...deps.config.get('WEBHOOK_SECRETS')];
    return keys.find(([, key]) => isSignedWith(key, claim, context.body))?.[0];
  } catch (error) {
    if (error instanceof LamplighterError && error.code === 'unauthenticated') return undefined;
    throw error;
  }
}

async function authenticateCall(deps: WebhookDeps, context: PublicContext): Promise<Call> {
  const claim = readClaim(deps, context);
  const name = context.params.name ?? '';
  const current = await findRunbook(deps.db);
  const webhooks = current?.runbook.webhooks ?? {};
  const webhook = Object.hasOwn(webhooks, name) ? webhooks[name] : undefined;
  if (!webhook) throw unauthenticated();
  const key = deps.config.get('WEBHOOK_SECRETS').get(webhook.secret);
  if (!key) {
    throw new LamplighterError('internal', `check webhook ${name}: there is no secret ${webhook.secret}`, {
      hint: `Put ${webhook.secret} into WEBHOOK_SECRETS.`,
    });
  }
  if (!isSignedWith(key, claim, context.body)) throw unauthenticated();
  return { name, webhook, signature: claim.given.slice('v1='.length) };
}

/** The refusal of a call with a valid signature. */
function refuseCall(name: string, code: 'conflict' | 'not-allowed', reason: string): LamplighterError {
  const action = code === 'conflict' ? { action: 'webhook.replayed' } : {};
  return new HttpFault(code, `call webhook ${name}: ${reason}`, {
    denial: { actor: `webhook:${name}`, subject: `webhook ${name}`, ...action },
  });
}

/** Asks for the operation that the runbook binds to the webhook, with what the caller chose. */
export async function handleWebhook(deps: WebhookDeps, context: PublicContext): Promise<CommandRequested> {
  const { name, webhook, signature } = await authenticateCall(deps, context);
  const body = context.body.byteLength === 0 ? {} : parseJson(context.body);
  const { params } = parseBody(ROUTES.callWebhook, body);
  const chosen = chooseWebhookParams(webhook, params);
  if (!chosen.ok) throw refuseCall(name, 'not-allowed', chosen.reason);
  return await requestCommand(deps, {
    operation: webhook.operation,
    params: chosen.params,
    actor: { kind: 'webhook', name, role: webhook.role },
    dryRun: false,
    // A call that led to no command may be sent again.
    alongside: async (tx) => {
      if (await claimWebhookCall(tx, name, signature, deps.clock())) return;
      throw refuseCall(name, 'conflict', 'this call was already accepted');
    },
  });
}
