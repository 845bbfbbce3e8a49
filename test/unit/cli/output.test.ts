import { describe, expect, test } from 'vitest';
import { renderOverview } from '#cli/help.ts';
import { escapeForTerminal } from '#cli/output/escape.ts';
import { toJsonLine } from '#cli/output/json.ts';
import { formatBytes, formatCount, formatElapsed, formatSpan } from '#cli/output/quantity.ts';
import { renderTable } from '#cli/output/table.ts';
import { displayWidth, truncate } from '#cli/output/width.ts';
import { VERBS } from '#cli/verbs/table.ts';
import { lookUpOperation } from '#shared/operations/catalogue.ts';

test('the overview fits a terminal of 80 by 24 and names every verb', () => {
  const lines = renderOverview().trimEnd().split('\n');
  expect(lines.length).toBeLessThanOrEqual(23);
  for (const line of lines) expect(displayWidth(line)).toBeLessThanOrEqual(80);
  for (const { verb } of VERBS) expect(lines.some((line) => line.startsWith(`  ${verb}`))).toBe(true);
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
