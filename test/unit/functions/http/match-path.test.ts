import { expect, test } from 'vitest';
import { matchPath } from '#functions/http/router.ts';

test.each([
  ['/v1/commands', '/v1/commands', {}],
  ['/v1/commands/:id', '/v1/commands/a%2Fb', { id: 'a/b' }],
  ['/v1/incidents/:id/ack', '/v1/incidents/INC-1/ack', { id: 'INC-1' }],
  ['/v1/commands', '/v1/commands/', undefined],
  ['/v1/commands/:id', '/v1/commands/', undefined],
  ['/v1/commands/:id', '/v1/commands/a/b', undefined],
  ['/v1/commands', '/V1/commands', undefined],
  ['/v1/health', '//v1/health', undefined],
])('%s against %s', (pattern, path, params) => {
  expect(matchPath(pattern, path)).toEqual(params);
});

test('a malformed escape is bad input', () => {
  expect(() => matchPath('/v1/:id', '/v1/%E0%A4%A')).toThrow('malformed escape');
});
