// Who may call a private function: identity tokens with their signature, and as Cloud Run hands them on behind IAM.
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { CallerHeaders } from '#functions/cloud/oidc.ts';
import { createDeps } from '#functions/deps.ts';
import { type IdentityServer, startIdentityServer } from '#local/cloud/identity/server.ts';
import { createTokenMint } from '#local/cloud/identity/token-mint.ts';
import { ENTRY_POINTS } from '#shared/topology.ts';

const AUDIENCE = 'https://sign.example.com';
const CALLER = 'api@test.iam.gserviceaccount.com';
const mint = createTokenMint();
let identity: IdentityServer;

beforeAll(async () => {
  identity = await startIdentityServer(mint, 'test');
});
afterAll(() => identity.close());

type Where = 'behind IAM' | 'elsewhere';

function verify(token: string, where: Where, headers: CallerHeaders = {}): Promise<string> {
  const { verifyCaller } = createDeps(
    {
      OIDC_AUDIENCE: AUDIENCE,
      OIDC_CALLERS: CALLER,
      OIDC_CERTS_URL: identity.certsUrl,
      ...(where === 'behind IAM' ? { K_SERVICE: 'lamplighter-sign' } : {}),
    },
    'sign',
  );
  return verifyCaller({ authorization: `Bearer ${token}`, ...headers });
}

const request = { serviceAccountEmail: CALLER, audience: AUDIENCE };
const MARKER = 'SIGNATURE_REMOVED_BY_GOOGLE';

/** A stripped token that says something else. */
async function altered(change: Record<string, unknown>): Promise<string> {
  const [head = '', payload = ''] = (await mint.mintIdToken(request)).split('.');
  const claims = { ...JSON.parse(Buffer.from(payload, 'base64url').toString()), ...change };
  return `${head}.${Buffer.from(JSON.stringify(claims)).toString('base64url')}.${MARKER}`;
}

test.each(['behind IAM', 'elsewhere'] as const)('a whole token is taken %s', async (where) => {
  expect(await verify(await mint.mintIdToken(request), where)).toBe(CALLER);
});

test('a token without its signature is taken behind IAM alone', async () => {
  const stripped = await mint.mintStrippedToken(request);
  expect(await verify(stripped, 'behind IAM')).toBe(CALLER);
  await expect(verify(stripped, 'elsewhere')).rejects.toMatchObject({ code: 'unauthenticated' });
});

const nowS = Math.floor(Date.now() / 1000);
const WRONG: [string, Record<string, unknown>, string][] = [
  ['another audience', { aud: 'https://report.example.com' }, 'unauthenticated'],
  ['a list of audiences', { aud: [AUDIENCE, 'https://report.example.com'] }, 'unauthenticated'],
  ['another issuer', { iss: 'https://accounts.example.com' }, 'unauthenticated'],
  ['another account', { email: 'somebody@test.iam.gserviceaccount.com' }, 'not-allowed'],
  ['no e-mail', { email: undefined }, 'unauthenticated'],
  ['an e-mail that is not verified', { email_verified: false }, 'unauthenticated'],
  ['an e-mail that is verified in words', { email_verified: 'true' }, 'unauthenticated'],
  ['a time that is over', { iat: nowS - 7200, exp: nowS - 3600 }, 'unauthenticated'],
  ['a time that is to come', { iat: nowS + 3600, exp: nowS + 7200 }, 'unauthenticated'],
  ['no end', { exp: undefined }, 'unauthenticated'],
  ['an end that is far', { exp: nowS + 10 * 86_400 }, 'unauthenticated'],
];

test.each(WRONG)('behind IAM a stripped token with %s is refused', async (_name, change, code) => {
  await expect(verify(await altered(change), 'behind IAM')).rejects.toMatchObject({ code });
});

describe('IAM looks at X-Serverless-Authorization first: with it', () => {
  test.each([['a token'], ['']])('a token without a signature is refused (%j)', async (header) => {
    const headers = { 'x-serverless-authorization': header };
    const stripped = await mint.mintStrippedToken(request);
    await expect(verify(stripped, 'behind IAM', headers)).rejects.toMatchObject({ code: 'unauthenticated' });
  });

  test('a whole token still proves its caller', async () => {
    const headers = { 'x-serverless-authorization': 'Bearer another' };
    expect(await verify(await mint.mintIdToken(request), 'behind IAM', headers)).toBe(CALLER);
  });
});

describe('behind IAM only the very marker counts', () => {
  test.each([
    ['nothing', ''],
    ['another marker', 'SIGNATURE_REMOVED_BY_GOOGLE_'],
    ['lower case', MARKER.toLowerCase()],
    ['a signature of nobody', Buffer.alloc(256).toString('base64url')],
  ])('%s', async (_name, signature) => {
    const token = (await mint.mintIdToken(request)).replace(/[^.]+$/, signature);
    await expect(verify(token, 'behind IAM')).rejects.toMatchObject({ code: 'unauthenticated' });
  });

  test('and only around JSON', async () => {
    await expect(verify(`e30.bm90LWpzb24.${MARKER}`, 'behind IAM')).rejects.toMatchObject({
      code: 'unauthenticated',
    });
  });
});

test('no public entry point has an audience, so none can take a token without a signature', () => {
  const open = ENTRY_POINTS.filter(({ callers }) => callers === 'public');
  expect(open.map(({ name }) => name)).toEqual(['api', 'live']);
  for (const { variables } of open) expect(variables).not.toContain('OIDC_AUDIENCE');
});
