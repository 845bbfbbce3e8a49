// Tokens that were valid lately on this instance, as hashes. It decides nothing: a token is looked up at every request. Whoever
// uses a valid one is only not kept waiting for the failures of others behind the same address.
import { createHash } from 'node:crypto';

/** Beyond that the one that was not used longest is forgotten. */
const MAX_KNOWN = 1000;

export interface KnownTokens {
  has(token: string): boolean;
  remember(token: string): void;
  forget(token: string): void;
}

function hashOf(token: string): string {
  return createHash('sha256').update(token).digest('base64');
}

/** None yet. */
export function createKnownTokens(): KnownTokens {
  const known = new Set<string>();
  return {
    has: (token) => known.has(hashOf(token)),
    remember: (token) => {
      const hash = hashOf(token);
      // Put last, so that the first is the one that was not used longest.
      known.delete(hash);
      known.add(hash);
      const [oldest] = known;
      if (known.size > MAX_KNOWN && oldest !== undefined) known.delete(oldest);
    },
    forget: (token) => void known.delete(hashOf(token)),
  };
}
