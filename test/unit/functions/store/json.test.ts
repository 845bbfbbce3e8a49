import { expect, test } from 'vitest';
import { asStored, canonicalJson, toJson } from '#functions/store/json.ts';

test('equal values have equal canonical text', () => {
  expect(canonicalJson({ b: [{ d: 1, c: 2 }], a: null })).toBe('{"a":null,"b":[{"c":2,"d":1}]}');
  expect(canonicalJson({ a: null, b: [{ c: 2, d: 1 }] })).toBe(
    canonicalJson({ b: [{ d: 1, c: 2 }], a: null }),
  );
  expect(canonicalJson([1, 2])).not.toBe(canonicalJson([2, 1]));
});

test('what PostgreSQL can’t hold is replaced', () => {
  expect(asStored({ text: 'a\0b\ud800' })).toEqual({ text: 'a\ufffdb\ufffd' });
  expect(toJson(undefined)).toBe('null');
});
