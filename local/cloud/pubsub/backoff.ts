import { DEFAULT_MAX_BACKOFF_MS, DEFAULT_MIN_BACKOFF_MS } from './limits.ts';
import { type Subscription, toMs } from './resources.ts';

/** Wait before the next delivery after `attempts` failed ones: exponential between the policy's bounds; none without a policy. */
export function backoffMs(policy: Subscription['retryPolicy'], attempts: number): number {
  if (!policy) return 0;
  const min = toMs(policy.minimumBackoff) ?? DEFAULT_MIN_BACKOFF_MS;
  const max = toMs(policy.maximumBackoff) ?? DEFAULT_MAX_BACKOFF_MS;
  return Math.min(max, min * 2 ** Math.max(0, Math.min(attempts, 30) - 1));
}
