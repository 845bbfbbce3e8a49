import { expect, test } from 'vitest';
import { clipLine } from '#local/stack/clip.ts';

const RED = '\u001b[31m';
const END = '\u001b[39m';

test.each([
  ['a line that fits', `${RED}red${END} rest`, 8, `${RED}red${END} rest`],
  ['a line cut after its colour', `${RED}red${END} rest`, 6, `${RED}red${END} r…`],
  ['a line cut within its colour', `a ${RED}red${END} rest`, 4, `a ${RED}r…${END}`],
  ['a line cut before its colour', `plain ${RED}red${END}`, 4, `pla…${RED}${END}`],
  ['wide characters', `${RED}日本語${END}`, 5, `${RED}日本…${END}`],
])('%s', (_case, line, columns, shown) => {
  expect(clipLine(line, columns)).toBe(shown);
});
