// The stand-ins for Google's issuer and metadata server, asked by Google's own library.
import { OAuth2Client } from 'google-auth-library';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type IdentityServer, startIdentityServer } from '#local/cloud/identity/server.ts';
import { createTokenMint, type TokenMint } from '#local/cloud/identity/token-mint.ts';

const EMAIL = 'lamplighter-api@lamplighter-local.iam.gserviceaccount.com';
let mint: TokenMint;
let identity: IdentityServer;

beforeAll(async () => {
  mint = createTokenMint();
  identity = await startIdentityServer(mint, 'lamplighter-local');
});
afterAll(() => identity.close());

function client(): OAuth2Client {
  return new OAuth2Client({ endpoints: { oauth2FederatedSignonPemCertsUrl: identity.certsUrl } });
}

async function fetchToken(headers: Record<string, string>): Promise<Response> {
  const host = await identity.metadataHostFor(EMAIL);
  const path =
    '/computeMetadata/v1/instance/service-accounts/default/identity?audience=https://sign.example&format=full';
  return await fetch(`http://${host}${path}`, { headers });
}

describe('identity tokens', () => {
  test('pass the verification that Google’s library does', async () => {
    const idToken = await (await fetchToken({ 'metadata-flavor': 'Google' })).text();
    const ticket = await client().verifyIdToken({ idToken, audience: 'https://sign.example' });
    expect(ticket.getPayload()).toMatchObject({
      email: EMAIL,
      email_verified: true,
      iss: 'https://accounts.google.com',
    });
  });

  test('fail it for another audience, and from another issuer', async () => {
    const idToken = await mint.mintIdToken({ serviceAccountEmail: EMAIL, audience: 'https://other.example' });
    await expect(client().verifyIdToken({ idToken, audience: 'https://sign.example' })).rejects.toThrow(
      /recipient|audience/i,
    );
    const foreign = await createTokenMint().mintIdToken({
      serviceAccountEmail: EMAIL,
      audience: 'https://sign.example',
    });
    await expect(
      client().verifyIdToken({ idToken: foreign, audience: 'https://sign.example' }),
    ).rejects.toThrow(/No pem found/);
  });

  test('are refused to a request without the metadata header', async () => {
    expect((await fetchToken({})).status).toBe(403);
  });
});
