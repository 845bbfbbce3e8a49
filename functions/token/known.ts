// Hashes of tokens that were recently valid on this instance. They do not authenticate: each request looks its token up in
// the database. They only exempt a caller with a valid token from the limit on failures of its address.
import { createHash } from 'node:crypto';

/** Beyond this number, the least recently used token is forgotten. */
const MAX_KNOWN = 1000;

export interface KnownTokens {
  has(token: string): boolean;
  remember(token: string): void;
  forget(token: string): void;
}

function hashOf(token: string): string {
  return createHash('sha256').update(token).digest('base64');
}

/** An empty set of known tokens. */
export function createKnownTokens(): KnownTokens {
  const known = new Set<string>();
  return {
    has: (token) => known.has(hashOf(token)),
    remember: (token) => {
      const hash = hashOf(token);
      // Inserted last, so that the first entry is the least recently used token.
      known.delete(hash);
      known.add(hash);
      const [oldest] = known;
      if (known.size > MAX_KNOWN && oldest !== undefined) known.delete(oldest);
    },
    forget: (token) => void known.delete(hashOf(token)),
  };
}
