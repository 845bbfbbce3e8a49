// Token buckets in this process: how often one source may ask at all, before the database is asked anything. Every instance
// has its own, so the limit of a deployment is up to `max_instance_count` times as high; what commands cost a host is
// limited in the store (command/limits.ts).

export interface BucketTerms {
  /** So many at once. */
  burst: number;
  /** So many are added each minute. */
  perMinute: number;
}

export interface Buckets {
  /** Takes one and gives 0, or gives after how many seconds there is one again. */
  take(source: string, nowMs: number): number;
  /** As `take`, but takes nothing. */
  waitS(source: string, nowMs: number): number;
}

/** Sources that are kept apart; beyond that the one that was quiet longest is forgotten, and has a full bucket again. */
const MAX_SOURCES = 10_000;

/** Buckets by source. */
export function createBuckets({ burst, perMinute }: BucketTerms): Buckets {
  const buckets = new Map<string, { tokens: number; atMs: number }>();
  const tokensOf = (source: string, nowMs: number): number => {
    const known = buckets.get(source);
    if (!known) return burst;
    const grown = known.tokens + (Math.max(0, nowMs - known.atMs) / 60_000) * perMinute;
    return Math.min(burst, grown);
  };
  const waitOf = (tokens: number): number => (tokens >= 1 ? 0 : Math.ceil(((1 - tokens) / perMinute) * 60));
  return {
    waitS: (source, nowMs) => waitOf(tokensOf(source, nowMs)),
    take: (source, nowMs) => {
      const tokens = tokensOf(source, nowMs);
      // Put last, so that the first is the one that was quiet longest.
      buckets.delete(source);
      buckets.set(source, { tokens: tokens >= 1 ? tokens - 1 : tokens, atMs: nowMs });
      const [oldest] = buckets.keys();
      if (buckets.size > MAX_SOURCES && oldest !== undefined) buckets.delete(oldest);
      return waitOf(tokens);
    },
  };
}
