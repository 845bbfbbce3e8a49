// Token buckets in this process: how many requests one source may send, checked before the database is queried. Each
// instance has its own buckets, so the limit of a deployment is up to `max_instance_count` times as high. The store limits
// the commands for a host (command/limits.ts).

export interface BucketOptions {
  /** Requests allowed at once. */
  burst: number;
  /** Requests added each minute. */
  perMinute: number;
}

export interface Buckets {
  /** Takes a token and returns 0; without a token, returns the seconds until there is one. */
  take(source: string, nowMs: number): number;
  /** The same answer as `take`, without taking a token. */
  waitS(source: string, nowMs: number): number;
}

/** Sources with a bucket of their own. Beyond them the least recently seen source is forgotten: its bucket is full again. */
const MAX_SOURCES = 10_000;

/** Buckets by source. */
export function createBuckets({ burst, perMinute }: BucketOptions): Buckets {
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
      // Inserted last, so that the first entry is the least recently seen source.
      buckets.delete(source);
      buckets.set(source, { tokens: tokens >= 1 ? tokens - 1 : tokens, atMs: nowMs });
      const [oldest] = buckets.keys();
      if (buckets.size > MAX_SOURCES && oldest !== undefined) buckets.delete(oldest);
      return waitOf(tokens);
    },
  };
}
