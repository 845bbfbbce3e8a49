import { expect, test } from 'vitest';
import { compareUtf8, ListQuery, listPage } from '#local/cloud/gcs/listing.ts';

function namesOf(names: string[], given: object): string[] {
  const seen: string[] = [];
  let pageToken: string | undefined;
  do {
    const page = listPage(names, ListQuery.parse({ ...given, ...(pageToken ? { pageToken } : {}) }));
    seen.push(...page.names);
    pageToken = page.nextPageToken;
  } while (pageToken);
  return seen;
}

test('orders as the UTF-8 bytes do', () => {
  const ordered = ['a', 'a/', 'a/b', 'ab', 'é', '\ue000', '\uffff', '😀', '\u{10ffff}'];
  expect(namesOf(ordered.toReversed(), {})).toEqual(ordered);
});

const ORDER = Array.from({ length: 300 }, (_, at) => `d${at % 7}/e${at % 3}/f${at}`).toSorted(compareUtf8);

test.each([
  [{ maxResults: '1' }, ORDER],
  [{ maxResults: '7' }, ORDER],
  [{ maxResults: '299' }, ORDER],
  [{ maxResults: '0' }, ORDER],
  [{ prefix: 'd3/', maxResults: '4' }, ORDER.filter((name) => name.startsWith('d3/'))],
  [{ prefix: 'nothing' }, []],
])('pages through %j without a gap or a double', (query, expected) => {
  expect(namesOf(ORDER, query)).toEqual(expected);
});

test('goes on behind an object that was deleted between two pages', () => {
  const first = listPage(['a', 'b', 'c'], ListQuery.parse({ maxResults: '2' }));
  const second = listPage(['a', 'c'], ListQuery.parse({ pageToken: first.nextPageToken }));
  expect([first.names, second.names]).toEqual([['a', 'b'], ['c']]);
});

test.each(['', '*', 'a b'])('refuses the page token %j', (pageToken) => {
  expect(() => listPage(['a'], ListQuery.parse({ pageToken }))).toThrow(/page token/);
});
