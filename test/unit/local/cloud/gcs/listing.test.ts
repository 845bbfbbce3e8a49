import { expect, test } from 'vitest';
import { compareUtf8, ListQuery, listPage } from '#local/cloud/gcs/listing.ts';

function namesOf(order: string[], given: object): string[] {
  const seen: string[] = [];
  let pageToken: string | undefined;
  do {
    const page = listPage(order, ListQuery.parse({ ...given, ...(pageToken ? { pageToken } : {}) }));
    seen.push(...page.names, ...page.prefixes);
    pageToken = page.nextPageToken;
  } while (pageToken);
  return seen.toSorted(compareUtf8);
}

test('orders as the UTF-8 bytes do', () => {
  const names = ['', 'a', 'a/', 'a/b', 'ab', 'é', '\uffff', '\ue000', '😀', '\u{10ffff}', 'a😀', 'a\uffff'];
  const byBytes = names.toSorted((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)));
  expect(names.toSorted(compareUtf8)).toEqual(byBytes);
});

const ORDER = Array.from({ length: 300 }, (_, at) => `d${at % 7}/e${at % 3}/f${at}`).toSorted(compareUtf8);

test.each([
  [{ maxResults: '1' }, ORDER],
  [{ maxResults: '7' }, ORDER],
  [{ maxResults: '299' }, ORDER],
  [{ maxResults: '0' }, ORDER],
  [{ prefix: 'd3/', maxResults: '4' }, ORDER.filter((name) => name.startsWith('d3/'))],
  [{ delimiter: '/', maxResults: '2' }, ['d0/', 'd1/', 'd2/', 'd3/', 'd4/', 'd5/', 'd6/']],
  [{ prefix: 'd1/', delimiter: '/', maxResults: '1' }, ['d1/e0/', 'd1/e1/', 'd1/e2/']],
  [{ prefix: 'd1', delimiter: 'e', maxResults: '1' }, ['d1/e']],
  [{ prefix: 'nothing' }, []],
  [{ startOffset: 'd6/', endOffset: 'd6/e1' }, ORDER.filter((name) => name.startsWith('d6/e0'))],
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
