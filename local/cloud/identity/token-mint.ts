// Stands in for Google's OIDC issuer: real RS256 tokens with a key made at start. Differs from production in that the
// key is our own, published at `/certs`; functions learn that address from OIDC_CERTS_URL.
import { generateKeyPairSync, randomUUID } from 'node:crypto';
import { SignJWT } from 'jose';

export interface TokenRequest {
  serviceAccountEmail: string;
  audience: string;
}

export interface TokenMint {
  /** A Google-shaped identity token, valid for one hour. */
  mintIdToken(request: TokenRequest): Promise<string>;
  /** The same as Cloud Run may hand it to a service behind IAM: with a marker in place of the signature. */
  mintStrippedToken(request: TokenRequest): Promise<string>;
  /** Key id → PEM public key, as www.googleapis.com/oauth2/v1/certs answers. */
  certificates(): Record<string, string>;
}

const ISSUER = 'https://accounts.google.com';
const LIFETIME_S = 3600;

/** Makes an issuer with a fresh 2048-bit RSA key. */
export function createTokenMint(): TokenMint {
  const { privateKey, publicKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
  const keyId = randomUUID();
  const pem = publicKey.export({ type: 'spki', format: 'pem' }).toString();
  const mintIdToken = ({ serviceAccountEmail, audience }: TokenRequest): Promise<string> =>
    new SignJWT({ email: serviceAccountEmail, email_verified: true, azp: serviceAccountEmail })
      .setProtectedHeader({ alg: 'RS256', kid: keyId, typ: 'JWT' })
      .setIssuer(ISSUER)
      .setSubject(serviceAccountEmail)
      .setAudience(audience)
      .setIssuedAt()
      .setExpirationTime(`${LIFETIME_S}s`)
      .sign(privateKey);
  return {
    mintIdToken,
    mintStrippedToken: async (request) =>
      (await mintIdToken(request)).replace(/[^.]+$/, 'SIGNATURE_REMOVED_BY_GOOGLE'),
    certificates: () => ({ [keyId]: pem }),
  };
}
