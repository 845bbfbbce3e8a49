import { expect, test } from 'vitest';
import { drawSvg } from '#local/stack/picture/svg.ts';

test('keeps text, colour and column of each run, and escapes what XML must not have raw', () => {
  const svg = drawSvg(['a \u001b[32mgreen\u001b[39m <b>', '\u001b[1mbold\u001b[22m'], 40, 'A & B');
  expect(svg).toContain('<title>A &amp; B</title>');
  expect(svg).toMatch(/<text x="34\.8" y="32" fill="#56d364"[^>]*>green<\/text>/);
  expect(svg).toMatch(/<text x="76\.8"[^>]*> &lt;b&gt;<\/text>/);
  expect(svg).toMatch(/font-weight="bold"[^>]*>bold</);
});
