// Who calls a private function: a Google-signed identity token, checked in the code besides IAM's invoker role.
import { OAuth2Client } from 'google-auth-library';
import { z } from 'zod';
import { LamplighterError, messageOf } from '#shared/errors.ts';

export interface CallerTerms {
  /** The function's own URL. */
  audience: string;
  /** E-mail addresses of the service accounts that may call. */
  callers: readonly string[];
  /** Another address of Google's certificates (key id → PEM). */
  certsUrl?: string | undefined;
}

/** Checks an Authorization header; gives the caller's e-mail. Throws `unauthenticated`, `not-allowed`, or `unavailable` without certificates. */
export type CallerVerifier = (authorization: string | undefined) => Promise<string>;

const ISSUERS = ['https://accounts.google.com', 'accounts.google.com'];
const Claims = z.object({
  iss: z.enum(ISSUERS),
  email: z.string(),
  email_verified: z.literal(true),
});

/** A verifier that keeps the certificates as long as their cache header allows. */
export function createCallerVerifier({ audience, callers, certsUrl }: CallerTerms): CallerVerifier {
  const client = new OAuth2Client(
    certsUrl === undefined ? {} : { endpoints: { oauth2FederatedSignonPemCertsUrl: certsUrl } },
  );
  return async (authorization) => {
    const token = /^Bearer ([\w-]+\.[\w-]+\.[\w-]+)$/.exec(authorization ?? '')?.[1];
    if (token === undefined) throw unauthenticated('there is no identity token');
    const claims = Claims.safeParse(await verify(client, token, audience));
    if (!claims.success) throw unauthenticated('the token has no verified e-mail of the right issuer');
    const { email } = claims.data;
    if (!callers.includes(email)) {
      throw new LamplighterError('not-allowed', `identify caller: ${email} may not call this function`);
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
    // The library's messages quote the token: they are not passed on.
    throw unauthenticated(reason.split(/[:,]/)[0] ?? 'invalid token');
  }
}

function unauthenticated(reason: string): LamplighterError {
  return new LamplighterError('unauthenticated', `identify caller: ${reason}`);
}
