import { expect, test } from 'vitest';
import { hostRoot } from '#agent/config/paths.ts';

test.each([
  ['nothing is given', undefined, 0, '/'],
  ['nothing is given, without rights', undefined, 1000, '/'],
  ['an empty value', '', 1000, '/'],
  ['a directory, without rights', '/tmp/host', 1000, '/tmp/host'],
])('the root of a host: %s', (_case, given, uid, root) => {
  expect(hostRoot(given, uid)).toBe(root);
});

test('root takes no other root from its environment', () => {
  expect(() => hostRoot('/tmp/host', 0)).toThrow('not when running as root');
});

test.each(['tmp/host', '/tmp/../etc', '/'])('refuses %s', (given) => {
  expect(() => hostRoot(given, 1000)).toThrow('a path is absolute');
});
