import { expect, test } from 'vitest';
import { isPartOfId, shortId, shortIds } from '#cli/output/short-id.ts';

const [A, B, C] = [
  '019b1d3c-7a00-7000-8000-aaaa0000c0de',
  '019b1d3c-7a01-7000-8000-bbbb0000c0de',
  '019b1d3c-7a02-7000-8000-cccc1111c0de',
] as const;

test.each([
  [A, '0000c0de'],
  ['20261123T020000Z-1f3a9c', '1f3a9c'],
])('%s is short %s', (id, short) => {
  expect(shortId(id)).toBe(short);
});

test('an id is short only where the short one names it alone', () => {
  expect([...shortIds([A, C]).values()]).toEqual(['0000c0de', '1111c0de']);
  expect([...shortIds([A, B, C]).values()]).toEqual([A, B, '1111c0de']);
});

test('the same id twice is still one', () => {
  expect([...shortIds([A, A]).values()]).toEqual(['0000c0de']);
});

test.each([
  ['019b1d3c-7a00', true],
  ['c0de', true],
  ['0000', true],
  ['7a00', false],
])('%s names it: %s', (part, isNamed) => {
  expect(isPartOfId(A, part)).toBe(isNamed);
});
