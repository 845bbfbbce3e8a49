import { describe, expect, test } from 'vitest';
import { EXIT } from '#cli/exit.ts';
import { renderOverview } from '#cli/help.ts';
import { escapeForTerminal } from '#cli/output/escape.ts';
import { toJsonLine } from '#cli/output/json.ts';
import { joinFitting } from '#cli/output/line.ts';
import { formatBytes, formatCount, formatElapsed, formatSpan } from '#cli/output/quantity.ts';
import { renderTable } from '#cli/output/table.ts';
import { displayWidth, outputWidth, truncate, wrapText } from '#cli/output/width.ts';
import { VERBS } from '#cli/verbs.ts';
import { lookUpOperation } from '#shared/operations/catalogue.ts';

describe('the overview', () => {
  test('fits a terminal of 80 by 24 and names every verb and exit code', () => {
    const lines = renderOverview(80).trimEnd().split('\n');
    expect(lines.length).toBeLessThanOrEqual(23);
    for (const line of lines) expect(displayWidth(line)).toBeLessThanOrEqual(80);
    const heads = lines.map((line) => /^ {2}(.*?)(?: {2}|$)/.exec(line)?.[1]?.split(/, | /) ?? []);
    for (const { verb } of VERBS) expect(heads.flat()).toContain(verb);
    for (const code of Object.values(EXIT)) expect(lines.at(-1)).toMatch(new RegExp(`\\b${code} [a-z]`));
  });

  test.each([60, 40])('wraps nothing at %i columns', (columns) => {
    for (const line of renderOverview(columns).split('\n'))
      expect(displayWidth(line)).toBeLessThanOrEqual(columns);
  });
});

test('every verb that is short for an operation names one that exists', () => {
  for (const { operation } of VERBS) if (operation) expect(lookUpOperation(operation)).toBeDefined();
});

test.each([
  ['plain text', 'plain text'],
  ['a\tb', 'a  b'],
  ['\u001b[31mred\u001b[0m', '\\x1b[31mred\\x1b[0m'],
  ['c1 \u009b2J', 'c1 \\x9b2J'],
  ['abc\u202ecba', 'abc\\u202ecba'],
  ['two\r\nlines', 'two\\r\\nlines'],
  ['ünï 引擎 🔥', 'ünï 引擎 🔥'],
])('escapes %j', (text, escaped) => {
  expect(escapeForTerminal(text)).toBe(escaped);
});

test('JSON on a terminal carries no C1 control either', () => {
  const text = toJsonLine({ message: 'a\u009b2J\u001b\u007f' });
  expect(text).toBe('{"message":"a\\u009b2J\\u001b\\u007f"}\n');
});

test.each([
  ['abc', 3],
  ['引擎', 4],
  ['🔥', 2],
  ['e\u0301', 1],
  ['👩‍👩‍👧', 2],
  ['', 0],
])('%j takes %i cells', (text, cells) => {
  expect(displayWidth(text)).toBe(cells);
});

test('truncates by cells, with an ellipsis', () => {
  expect(truncate('abcdef', 4)).toBe('abc…');
  expect(truncate('引擎引擎', 4)).toBe('引…');
  expect(truncate('abc', 3)).toBe('abc');
});

describe('a table', () => {
  const columns = [
    { title: 'NAME' },
    { title: 'N', align: 'right' as const },
    { title: 'WHAT', flexible: true },
    { title: 'END' },
  ];

  test('aligns by cells and cuts the flexible column', () => {
    const rows = [
      ['引擎', '1', 'a very long text that has to give way', 'x'],
      ['b', '10', 'short', 'y'],
    ];
    expect(renderTable(columns, rows, 30, (text) => text).split('\n')).toEqual([
      'NAME   N  WHAT             END',
      '引擎   1  a very long te…  x',
      'b     10  short            y',
      '',
    ]);
  });
});

describe('a table with too little room', () => {
  const columns = [
    { title: 'ID' },
    { title: 'WHAT', flexible: true, least: 10 },
    { title: 'STATE' },
    { title: 'AGE', dispensable: 2 },
    { title: 'BY', dispensable: 1 },
  ];
  const rows = [['0000c0de', 'a long description of it', 'succeeded', '10 s ago', 'alexandra']];
  const head = (width: number): string =>
    (renderTable(columns, rows, width, (text) => text).split('\n')[0] ?? '').replace(/ +/g, ' ');

  test.each([
    [80, 'ID WHAT STATE AGE BY'],
    // The description is shortened first, down to its minimum.
    [52, 'ID WHAT STATE AGE BY'],
    [51, 'ID WHAT STATE AGE'],
    [40, 'ID WHAT STATE'],
    [12, 'ID WH… ST…'],
  ])('%i columns show %s', (width, titles) => {
    expect(head(width)).toBe(titles);
  });

  test('is never wider than that', () => {
    for (let width = 8; width < 90; width += 1) {
      for (const line of renderTable(columns, rows, width, String).split('\n'))
        expect(displayWidth(line)).toBeLessThanOrEqual(width);
    }
  });

  test('is not cut at all where there is no limit', () => {
    expect(renderTable(columns, rows, Infinity, String)).toContain('a long description of it');
  });
});

test.each([
  ['60', 120, 60],
  [undefined, 120, 120],
  ['0', 120, 120],
  ['wide', 120, 120],
  ['', undefined, Infinity],
  ['60', undefined, 60],
])('COLUMNS %j on a terminal of %s columns: %s', (given, terminal, width) => {
  expect(outputWidth(given, terminal)).toBe(width);
});

test('text is broken between words, and a long word stays whole', () => {
  expect(wrapText('one two three', 7)).toEqual(['one two', 'three']);
  expect(wrapText('see https://example.com/long', 10)).toEqual(['see', 'https://example.com/long']);
  expect(wrapText('', 10)).toEqual(['']);
});

test('facts on one line: what has no room is left out, the most important stay', () => {
  const parts = [{ text: 'host web-1' }, { text: 'online', shown: '<online>' }, { text: 'up 3 d' }];
  expect(joinFitting(parts, 26)).toBe('host web-1  <online>  up 3 d');
  expect(joinFitting(parts, 25)).toBe('host web-1  <online>');
  expect(joinFitting(parts, 8)).toBe('host we…');
});

test.each([
  [formatSpan(59_999), '59 s'],
  [formatSpan(60_000), '1 min'],
  [formatSpan(7_200_000), '2 h'],
  [formatSpan(3 * 86_400_000), '3 d'],
  [formatSpan(-5), '0 s'],
  [formatElapsed(2449), '2.4 s'],
  [formatElapsed(125_000), '2:05 min'],
  [formatBytes(999), '999 B'],
  [formatBytes(999_999), '1.0 MB'],
  [formatBytes(412_345_678), '412 MB'],
  [formatCount(1_234_567), '1,234,567'],
  [formatCount(12), '12'],
])('%s is %s', (actual, expected) => {
  expect(actual).toBe(expected);
});
