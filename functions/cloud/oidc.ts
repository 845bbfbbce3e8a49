// Verifies the caller of a private function by its Google-signed identity token, in addition to IAM's invoker role.
import { OAuth2Client } from 'google-auth-library';
import * as z from 'zod';
import { LamplighterError, messageOf } from '#shared/errors.ts';

export interface CallerOptions {
  /** The function's own URL. */
  audience: string;
  /** E-mail addresses of the service accounts that may call. */
  callers: readonly string[];
  /** Another address of Google's certificates (key id → PEM). */
  certsUrl?: string | undefined;
  /**
   * True on a Cloud Run service whose invokers IAM checks: it may take a token's signature away after checking it, and
   * then the marker in its place is accepted. Never true where everyone may call.
   */
  isBehindIam?: boolean;
  nowMs?: () => number;
}

/** The headers that identify the caller. */
export interface CallerHeaders {
  authorization?: string | undefined;
  'x-serverless-authorization'?: string | string[] | undefined;
}

/**
 * Checks a request's identity token and returns the caller's e-mail address. Throws `unauthenticated`, `not-allowed`, or
 * `unavailable` when the certificates can't be fetched.
 */
export type CallerVerifier = (headers: CallerHeaders) => Promise<string>;

const ISSUERS = ['https://accounts.google.com', 'accounts.google.com'];
/** What Cloud Run puts in place of the signature (cloud.google.com/run/docs/troubleshooting#signature-removed). */
const REMOVED_SIGNATURE = 'SIGNATURE_REMOVED_BY_GOOGLE';
/** The clock skew and the token lifetime that the library allows. */
const CLOCK_SKEW_S = 300;
const MAX_LIFETIME_S = 86_400;

const Claims = z.lazy(() =>
  z.object({
    iss: z.enum(ISSUERS),
    email: z.string(),
    email_verified: z.literal(true),
  }),
);

/** A verifier that keeps the certificates as long as their cache header allows. */
export function createCallerVerifier({
  audience,
  callers,
  certsUrl,
  isBehindIam = false,
  nowMs = Date.now,
}: CallerOptions): CallerVerifier {
  const client = new OAuth2Client(
    certsUrl === undefined ? {} : { endpoints: { oauth2FederatedSignonPemCertsUrl: certsUrl } },
  );
  return async (headers) => {
    const token = /^Bearer ([\w-]+\.[\w-]+\.[\w-]+)$/.exec(headers.authorization ?? '')?.[1];
    if (token === undefined) throw unauthenticated('there is no identity token');
    const isStripped = isBehindIam && token.endsWith(`.${REMOVED_SIGNATURE}`);
    // IAM then checked that header only, and passed this one on as the caller wrote it.
    if (isStripped && headers['x-serverless-authorization'] !== undefined) {
      throw unauthenticated('the token has no signature, and IAM checked a different token');
    }
    const payload = isStripped
      ? readStripped(token, audience, nowMs() / 1000)
      : await verify(client, token, audience);
    const claims = Claims.safeParse(payload);
    if (!claims.success) throw unauthenticated('the token has no verified e-mail of the right issuer');
    const { email } = claims.data;
    if (!callers.includes(email)) {
      throw new LamplighterError(
        'not-allowed',
        `identify caller: ${email} is not allowed to call this function`,
      );
    }
    return email;
  };
}

async function verify(client: OAuth2Client, idToken: string, audience: string): Promise<unknown> {
  try {
    return (await client.verifyIdToken({ idToken, audience })).getPayload();
  } catch (error) {
    const reason = messageOf(error);
    if (reason.startsWith('Failed to retrieve verification certificates')) {
      throw new LamplighterError('unavailable', 'identify caller: certificates could not be fetched', {
        retryable: true,
        cause: error,
      });
    }
    // The library's messages quote the token, so only their first words are passed on.
    throw unauthenticated(reason.split(/[:,]/)[0] ?? 'invalid token');
  }
}

const Times = z.lazy(() => z.object({ aud: z.string(), iat: z.number(), exp: z.number() }));

/** The claims of a token that IAM checked and whose signature it removed. Everything but the signature is checked again. */
function readStripped(token: string, audience: string, nowS: number): unknown {
  const payload = decodePayload(token);
  const times = Times.safeParse(payload);
  if (!times.success) throw unauthenticated('the token has no audience and times');
  const { aud, iat, exp } = times.data;
  if (aud !== audience) throw unauthenticated('Wrong recipient');
  if (exp - iat > MAX_LIFETIME_S) throw unauthenticated('the token lives too long');
  if (nowS > exp + CLOCK_SKEW_S) throw unauthenticated('Token used too late');
  if (nowS < iat - CLOCK_SKEW_S) throw unauthenticated('Token used too early');
  return payload;
}

function decodePayload(token: string): unknown {
  try {
    return JSON.parse(Buffer.from(token.split('.')[1] ?? '', 'base64url').toString('utf8'));
  } catch {
    throw unauthenticated('the token is malformed');
  }
}

function unauthenticated(reason: string): LamplighterError {
  return new LamplighterError('unauthenticated', `identify caller: ${reason}`);
}
