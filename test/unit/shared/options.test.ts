import { expect, test } from 'vitest';
import { parseOptions } from '#shared/options.ts';

const OPTIONS = {
  last: { type: 'string', short: 'n' },
  days: { type: 'string' },
  json: { type: 'boolean', default: false },
} as const;

test.each([
  [['--bogus'], 'there is no option --bogus'],
  [['-x'], 'there is no option -x'],
  [['--days'], '--days needs a value'],
  [['--days', '--json'], '--days needs a value'],
  [['-n'], '--last needs a value'],
  [['--json=yes'], '--json takes no value'],
  [['more'], '"more" is one argument too many'],
])('%j is told in our own words', (args, fault) => {
  const parse = () => parseOptions({ args, options: OPTIONS }, 'See --help.');
  expect(parse).toThrow(
    expect.objectContaining({
      code: 'invalid-input',
      message: `read options: ${fault}`,
      hint: 'See --help.',
    }),
  );
});

test('what is right is given as it is', () => {
  const { values } = parseOptions({ args: ['--days', '3'], options: OPTIONS }, 'See --help.');
  expect(values).toEqual({ days: '3', json: false });
});
