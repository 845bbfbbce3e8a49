import { expect, test } from 'vitest';
import * as z from 'zod';
import { HostName } from '#shared/names.ts';
import { describeFault, describeFaults, describeThrown, listFaults } from '#shared/plain-issue.ts';

const Sample = z.strictObject({
  host: HostName,
  everyMs: z.int().min(1000).default(1000),
  on: z.boolean().optional(),
  list: z.array(z.string()).optional(),
  level: z.enum(['INFO', 'ERROR']).optional(),
  by: z.record(z.string().regex(/^[a-z]+$/, 'a name is lower-case letters'), z.number()).optional(),
  is: z
    .discriminatedUnion('type', [z.object({ type: z.literal('a') }), z.object({ type: z.literal('b') })])
    .optional(),
  url: z.url().optional(),
});

function faultsOf(value: unknown): z.ZodError {
  const { error } = Sample.safeParse(value);
  if (!error) throw new Error('it is in order');
  return error;
}

test.each<[string, unknown, string]>([
  ['a value is missing', {}, 'host: it is missing'],
  ['a name is wrong', { host: 'Web' }, 'host: a host name is lower-case letters, digits and hyphens'],
  ['a number is a text', { host: 'a', everyMs: '1' }, 'everyMs: it must be a number'],
  ['a number is too small', { host: 'a', everyMs: 1 }, 'everyMs: it must be at least 1000'],
  ['a number is not whole', { host: 'a', everyMs: 1000.5 }, 'everyMs: it must be a whole number'],
  ['a key is not known', { host: 'a', hots: 1 }, 'the file: unknown "hots"'],
  ['a list is a text', { host: 'a', list: 'x' }, 'list: it must be a list'],
  ['a word is not one of ours', { host: 'a', level: 'x' }, 'level: it must be INFO or ERROR'],
  ['a name within is wrong', { host: 'a', by: { A: 1 } }, 'by.A: a name is lower-case letters'],
  [
    'a kind is not known',
    { host: 'a', is: { type: 'c' } },
    'is.type: it is not one of the kinds that are known',
  ],
  ['an address is none', { host: 'a', url: 'x' }, 'url: not an address such as https://example.com'],
  ['all of it is a text', 'x', 'the file: it must be a mapping'],
])('%s', (_name, value, told) => {
  const text = describeFaults(faultsOf(value), 'the file');
  expect(text).toBe(told);
  expect(text).not.toMatch(/Invalid|expected|received|Too/);
});

test('several faults are told in their order, the first alone, or as a list', () => {
  const faults = faultsOf({ host: 'a', everyMs: 1, hots: 1 });
  expect(describeFaults(faults, 'the file')).toBe(
    'everyMs: it must be at least 1000; the file: unknown "hots"',
  );
  expect(describeFault(faults, 'the file')).toBe('everyMs: it must be at least 1000');
  expect(listFaults(faults)).toEqual(['everyMs: it must be at least 1000', 'unknown "hots"']);
});

test('what was thrown is told in its own words unless zod threw it', () => {
  expect(describeThrown(faultsOf({}), 'the file')).toBe('host: it is missing');
  expect(describeThrown(new Error('ENOENT'), 'the file')).toBe('ENOENT');
});
