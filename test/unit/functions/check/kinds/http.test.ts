import { expect, test } from 'vitest';
import { hasValueAt } from '#functions/check/kinds/http.ts';
import { parseJsonPath } from '#shared/runbook/json-path.ts';

test.each([
  ['engines[0].id', ['engines', 0, 'id']],
  ['$.engines[0].id', ['engines', 0, 'id']],
  ['[2][10]', [2, 10]],
  ['a["b c"].d', ['a', 'b c', 'd']],
  ['status', ['status']],
  ['a-b.c_d', ['a-b', 'c_d']],
])('reads %s', (path, steps) => {
  expect(parseJsonPath(path)).toEqual(steps);
});

test.each(['', '$', 'a..b', 'a.', 'a[', 'a[x]', 'a[-1]', 'a[0]b', 'a b', '.'])('%j is not a path', (path) => {
  expect(parseJsonPath(path)).toBeUndefined();
});

test.each([
  ['a.b', { a: { b: 0 } }, true],
  ['a.b', { a: { b: false } }, true],
  ['a.b', { a: { b: '' } }, true],
  ['a.b', { a: { b: null } }, false],
  ['a.b', { a: null }, false],
  ['a[0]', { a: [] }, false],
  ['a[0]', { a: { 0: 1 } }, false],
  ['a.length', { a: 'text' }, false],
  ['constructor', {}, false],
  ['__proto__', {}, false],
  ['a', [1], false],
])('%s in %j: %s', (path, value, is) => {
  expect(hasValueAt(value, parseJsonPath(path)!)).toBe(is);
});
