import { describe, expect, test } from 'vitest';
import { backoffMs } from '#local/cloud/pubsub/queue.ts';

describe('the backoff', () => {
  const policy = { minimumBackoff: { seconds: 1, nanos: 0 }, maximumBackoff: { seconds: 10, nanos: 0 } };
  test.each([
    [1, 1000],
    [2, 2000],
    [4, 8000],
    [5, 10_000],
    [1000, 10_000],
  ])('after %i attempts is %i ms', (attempts, expected) => {
    expect(backoffMs(policy, attempts)).toBe(expected);
  });

  test('is none without a policy', () => {
    expect(backoffMs(undefined, 7)).toBe(0);
  });
});
