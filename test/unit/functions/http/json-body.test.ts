import { expect, test } from 'vitest';
import { parseJson } from '#functions/http/json-body.ts';
import { MAX_VALUES } from '#shared/json-extent.ts';

const listOf = (item: string, count: number) => `[${Array<string>(count).fill(item).join(',')}]`;

test.each([
  ['empty objects', listOf('{}', MAX_VALUES / 2 + 1)],
  ['numbers', listOf('1', MAX_VALUES + 1)],
  ['empty lists', listOf('[]', MAX_VALUES / 2 + 1)],
  ['keys', `{${Array.from({ length: MAX_VALUES + 1 }, (_, i) => `"${i}":1`).join(',')}}`],
])('too many %s are refused before anything is made of them', (_name, text) => {
  expect(() => parseJson(Buffer.from(text))).toThrow(`it has more than ${MAX_VALUES} values`);
});

test('as many values as are allowed are read, and marks in strings are none', () => {
  expect(parseJson(Buffer.from(listOf('1', MAX_VALUES)))).toHaveLength(MAX_VALUES);
  const text = `",[{\\"${',[{}]'.repeat(MAX_VALUES)}"`;
  expect(parseJson(Buffer.from(text))).toHaveLength(5 + 5 * MAX_VALUES - 1);
});
