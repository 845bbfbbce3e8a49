import { expect, test } from 'vitest';
import { readOutcome } from '#test/outcome.ts';

function report(statuses: [string, string[], string][], counts: Record<string, number> = {}): string {
  const assertionResults = statuses.map(([status, ancestorTitles, title]) => ({
    status,
    ancestorTitles,
    title,
  }));
  const numbers = { numPassedTests: 0, numFailedTests: 0, numPendingTests: 0, numTodoTests: 0, ...counts };
  return JSON.stringify({ ...numbers, testResults: [{ assertionResults }] });
}

test('names what was skipped: a few one by one, many by their group', () => {
  const text = report(
    [
      ['passed', [], 'a'],
      ...['b', 'c', 'd', 'e'].map((title): [string, string[], string] => [
        'skipped',
        ['a host (needs root)'],
        title,
      ]),
      ['pending', ['a group', 'deeper'], 'alone (needs IPv6)'],
    ],
    { numPassedTests: 1, numPendingTests: 5 },
  );
  expect(readOutcome(text, 0)).toEqual({
    tally: { passed: 1, failed: 0, skipped: 5 },
    skipped: ['4 × a host (needs root)', 'a group > deeper > alone (needs IPv6)'],
  });
});

test.each([
  ['a test failed', { numFailedTests: 2 }, 1, 2],
  ['a file could not be loaded', {}, 1, 1],
  ['all is well', {}, 0, 0],
])('%s', (_case, counts, code, failed) => {
  expect(readOutcome(report([], counts), code).tally.failed).toBe(failed);
});
