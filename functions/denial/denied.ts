// Turns an error and its caller into a denial; http/answer.ts asks for every request that fails.

import type { IncomingMessage } from 'node:http';
import { isIPv6 } from 'node:net';
import { LamplighterError } from '#shared/errors.ts';
import { factsOf } from '../http/fault.ts';
import type { Denial } from './recorder.ts';

const TOO_MANY = 429;

function actionOf(thrown: LamplighterError): string | undefined {
  const { code } = thrown;
  if (factsOf(thrown).status === TOO_MANY) return 'rate_limited';
  if (code === 'unauthenticated') return 'auth_denied';
  return code === 'not-allowed' ? 'rbac_denied' : undefined;
}

/**
 * The address that a request came from. Behind Google's front end it is the last entry of x-forwarded-for, which the front
 * end adds; the client can set the entries before it. An IPv6 address is cut to the /64 that one customer gets.
 */
export function addressOf(req: IncomingMessage, isBehindFrontEnd: boolean): string {
  const forwarded = String(req.headers['x-forwarded-for'] ?? '')
    .split(',')
    .at(-1)
    ?.trim();
  const address = (isBehindFrontEnd && forwarded ? forwarded : req.socket.remoteAddress) ?? 'unknown';
  // The first call of `isIPv6` compiles a long regular expression, which would slow a cold start down.
  const isLong = address.includes(':') && !address.startsWith('::ffff:') && isIPv6(address);
  if (!isLong) return address.replace('::ffff:', '').slice(0, 64);
  return `${new URL(`http://[${address}]`).hostname.slice(1, -1).split('::')[0]?.split(':').slice(0, 4).join(':')}::/64`;
}

/** The denial, or undefined when the error is not a denial. `actor` is the caller, once authenticated. */
export function denialOf(
  thrown: unknown,
  { actor, address }: { actor: string | undefined; address: string },
): Denial | undefined {
  if (!(thrown instanceof LamplighterError)) return undefined;
  const facts = factsOf(thrown).denial;
  const action = facts?.action ?? actionOf(thrown);
  if (action === undefined) return undefined;
  const proven = actor ?? facts?.actor;
  return {
    source: proven ?? `address:${address}`,
    isProven: proven !== undefined,
    action,
    subject: facts?.subject ?? thrown.code,
    detail: { reason: thrown.message, ...facts?.detail },
  };
}
