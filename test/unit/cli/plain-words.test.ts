import { expect, test } from 'vitest';
import { checkParameters } from '#cli/operation/parameters.ts';
import { messageOf } from '#shared/errors.ts';
import { CATALOGUE, findOperation } from '#shared/operations/catalogue.ts';

function complaint(operation: string, params: Record<string, unknown>): string {
  try {
    checkParameters(findOperation(operation), params);
    return '';
  } catch (error) {
    return messageOf(error);
  }
}

test.each([
  ['service.logs', { service: 'web', lines: 'many' }, 'lines: it must be a number'],
  ['service.logs', { service: 'web', lines: 1.5 }, 'lines: it must be a whole number'],
  ['service.logs', { service: 'web', lines: 0 }, 'lines: it must be at least 1'],
  ['service.logs', { service: 'web', lines: 2001 }, 'lines: it must be at most 2000'],
  ['service.logs', { service: 'web', since: 'noon' }, 'since: not a time in UTC such as 2026-'],
  ['service.logs', {}, 'service: it is missing'],
  ['service.restart', { service: 5 }, 'service: it must be a text'],
  [
    'service.restart',
    { service: '-x' },
    'service: a service is called by its name in the runbook or by its unit',
  ],
  ['restore.run', { backup: 'x', confirm: 'd' }, 'backup: a backup id looks like 20261123T020000Z-1f3a9c'],
])('%s %j: %s', (operation, params, said) => {
  expect(complaint(operation, params)).toContain(said);
});

test('no parameter of any operation is refused in the words of the schema library', () => {
  for (const { name } of CATALOGUE) {
    const { shape } = findOperation(name).params as unknown as { shape: Record<string, unknown> };
    for (const key of Object.keys(shape)) {
      for (const value of [undefined, null, 5, -1, 1e9, '', '-', 'x'.repeat(5000), true, [], {}, [{}]]) {
        expect(complaint(name, { [key]: value })).not.toMatch(/Invalid|expected|received|Too (big|small)/);
      }
    }
  }
});
