import { describe, expect, test } from 'vitest';
import { backoffMs } from '#local/cloud/pubsub/backoff.ts';
import { compileFilter } from '#local/cloud/pubsub/filter.ts';

const message = { host: 'web-1', kind: 'report', 'a.b': 'x', empty: '' };

describe('a filter', () => {
  test.each([
    ['', true],
    ['attributes:host', true],
    ['attributes:missing', false],
    ['attributes.host = "web-1"', true],
    ['attributes.host="web-2"', false],
    ['attributes.host != "web-2"', true],
    ['attributes.missing != "x"', true],
    ['attributes."a.b" = "x"', true],
    ['attributes.empty = ""', true],
    ['hasPrefix(attributes.host, "web")', true],
    ['hasPrefix(attributes.missing, "web")', false],
    ['NOT attributes:missing', true],
    ['attributes:host AND attributes.kind = "report"', true],
    ['attributes:host AND attributes:missing', false],
    ['attributes:missing OR attributes:kind', true],
    ['(attributes:missing OR attributes:kind) AND NOT attributes.host = "db-1"', true],
    ['attributes.host = "say \\"hi\\""', false],
  ])('%s matches: %s', (filter, expected) => {
    expect(compileFilter(filter)(message)).toBe(expected);
  });

  test.each([
    'attributes',
    'attributes.host',
    'attributes.host = web',
    'attributes.host == "x"',
    'data:host',
    'attributes:a AND attributes:b OR attributes:c',
    '(attributes:a',
    'attributes:a)',
    'hasPrefix(attributes.a)',
    'NOT',
    '; DROP',
    'attributes.host = "unterminated',
    `attributes.host = "${'x'.repeat(300)}"`,
  ])('%s is refused', (filter) => {
    expect(() => compileFilter(filter)).toThrow(/Invalid filter/);
  });
});

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
