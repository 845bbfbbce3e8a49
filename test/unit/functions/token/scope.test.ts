import { expect, test } from 'vitest';
import { isOperationScope, scopeFault } from '#functions/token/scope.ts';

const restart = { operation: 'service.restart', host: 'web-1' };

test.each([
  ['nothing', null, null, true],
  ['the host', ['web-1'], null, true],
  ['another host', ['web-2'], null, false],
  ['no host', [], null, false],
  ['the name', null, ['backup.run', 'service.restart'], true],
  ['its family', null, ['service.*'], true],
  ['another family', null, ['backup.*'], false],
  ['the beginning of the name', null, ['service.rest'], false],
  ['a family that begins alike', null, ['serv.*'], false],
  ['both', ['web-1'], ['service.*'], true],
  ['both, and one is another', ['web-2'], ['service.*'], false],
])('limited to %s', (_name, hosts, operations, isCovered) => {
  expect(scopeFault({ hosts, operations }, restart) === undefined).toBe(isCovered);
});

test.each([
  ['service.restart', true],
  ['service.*', true],
  ['service', false],
  ['nothing.*', false],
  ['*', false],
  ['.*', false],
])('%s is an operation or a family: %s', (entry, isOne) => {
  expect(isOperationScope(entry)).toBe(isOne);
});
