import { expect, test } from 'vitest';
import { pathSegment } from '#cli/api/path.ts';

test.each(['', '.', '..'])('"%s" is not a name: the request would go to another path', (name) => {
  expect(() => pathSegment(name)).toThrow(`ask API: "${name}" is not a name`);
});

test.each(['laptop', '...', '../x', '%2e%2e', 'a b'])('"%s" stays one segment', (name) => {
  const { pathname } = new URL(`http://api/v1/tokens/${pathSegment(name)}/revoke`);
  expect(pathname.split('/').map(decodeURIComponent)).toEqual(['', 'v1', 'tokens', name, 'revoke']);
});
