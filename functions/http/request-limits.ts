// How many requests one source may send to the API.
import type { IncomingMessage } from 'node:http';
import { LamplighterError } from '#shared/errors.ts';
import type { Deps } from '../deps.ts';
import { createBuckets } from './bucket.ts';
import { tooMany } from './too-many.ts';

/** Requests of one token or one webhook's key, on one instance. A client that waits for a command sends two a minute. */
export const REQUESTS = { burst: 240, perMinute: 600 };
/** Requests of one address without a valid token or signature, on one instance. */
export const FAILURES = { burst: 30, perMinute: 30 };

export interface RequestLimits {
  /** Throws `busy` (429) when the actor sends too many requests. */
  admitActor(actor: string): void;
  /**
   * Runs `work`, which authenticates the caller and may query the database. After too many failures from an address it throws
   * `busy` (429) without running `work`, unless the caller `isKnown` to be valid without the database.
   */
  authenticating<T>(req: IncomingMessage, isKnown: boolean, work: () => Promise<T>): Promise<T>;
}

/** Limits of this process. */
export function createRequestLimits({ clock, addressOf }: Pick<Deps, 'clock' | 'addressOf'>): RequestLimits {
  const requests = createBuckets(REQUESTS);
  const failures = createBuckets(FAILURES);
  return {
    admitActor: (actor) => {
      const waitS = requests.take(actor, clock().getTime());
      if (waitS > 0) throw tooMany(`ask API: ${actor} asks too often`, waitS, { subject: 'requests', actor });
    },
    authenticating: async (req, isKnown, work) => {
      const waitS = isKnown ? 0 : failures.waitS(addressOf(req), clock().getTime());
      if (waitS > 0) {
        throw tooMany('identify caller: too many failures from this address', waitS, { subject: 'failures' });
      }
      try {
        return await work();
      } catch (error) {
        if (error instanceof LamplighterError && error.code === 'unauthenticated') {
          failures.take(addressOf(req), clock().getTime());
        }
        throw error;
      }
    },
  };
}
