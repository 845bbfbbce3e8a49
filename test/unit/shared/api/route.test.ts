import { expect, test } from 'vitest';
import { prepareRequest } from '#shared/api/route.ts';
import { ROUTES } from '#shared/api/routes.ts';

test.each(['', '.', '..'])('"%s" is not a name: the request would go to another path', (name) => {
  expect(() => prepareRequest(ROUTES.revokeToken, { params: { name } })).toThrow(
    `ask API: "${name}" is not a name`,
  );
});

test.each(['laptop', '...', '../x', '%2e%2e', 'a b', '$&', ':name'])('"%s" stays one segment', (name) => {
  const { target } = prepareRequest(ROUTES.revokeToken, { params: { name } });
  const { pathname } = new URL(target, 'http://api');
  expect(pathname.split('/').map(decodeURIComponent)).toEqual(['', 'v1', 'tokens', name, 'revoke']);
});

test('a query has what was given and nothing else', () => {
  expect(
    prepareRequest(ROUTES.listAudit, { query: { action: 'a&b=c', limit: 3, target: undefined } }),
  ).toEqual({
    method: 'GET',
    target: '/v1/audit?action=a%26b%3Dc&limit=3',
  });
  expect(prepareRequest(ROUTES.listAudit, {}).target).toBe('/v1/audit');
});

test.each([
  [
    'as JSON',
    prepareRequest(ROUTES.followLogs, { body: { service: 'web' } }),
    '{"service":"web"}',
    'application/json',
  ],
  [
    'as the text that it is',
    prepareRequest(ROUTES.applyRunbook, { body: 'name: x\n' }),
    'name: x\n',
    'text/yaml',
  ],
])('a body goes out %s', (_how, { body }, text, contentType) => {
  expect(body).toEqual({ text, contentType });
});
