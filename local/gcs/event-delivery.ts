// One attempt to hand an event to its target.
import { LamplighterError } from '#shared/errors.ts';
import { eventHeaders, type StoredEvent } from './event-message.ts';
import { EVENT_DEADLINE_MS } from './limits.ts';

/** The function that hears of finalised objects. */
export interface EventTarget {
  url: string;
  /** With it, and a way to mint, each delivery carries an OIDC token of this account. */
  serviceAccountEmail?: string;
  /** Default: the target's URL. */
  audience?: string;
}

/** Mints the OIDC token that Google would send along. */
export type MintIdToken = (request: {
  serviceAccountEmail: string;
  audience: string;
}) => Promise<string> | string;

/** Resolves when the target answers 2xx; throws on anything else, and on `signal`. */
export async function deliverEvent(
  event: StoredEvent,
  target: EventTarget,
  mintIdToken: MintIdToken | undefined,
  signal: AbortSignal,
): Promise<void> {
  const headers = { ...eventHeaders(event), ...(await authorization(target, mintIdToken)) };
  const response = await fetch(target.url, {
    method: 'POST',
    headers,
    body: JSON.stringify(event.data),
    redirect: 'manual',
    signal: AbortSignal.any([signal, AbortSignal.timeout(EVENT_DEADLINE_MS)]),
  });
  await response.body?.cancel();
  if (response.ok) return;
  throw new LamplighterError('failed', `deliver event ${event.id}: target answered ${response.status}`, {
    retryable: true,
  });
}

async function authorization(
  { serviceAccountEmail, audience, url }: EventTarget,
  mintIdToken: MintIdToken | undefined,
): Promise<Record<string, string>> {
  if (!serviceAccountEmail || !mintIdToken) return {};
  return {
    authorization: `Bearer ${await mintIdToken({ serviceAccountEmail, audience: audience ?? url })}`,
  };
}
