import { PassThrough } from 'node:stream';
import { expect, test } from 'vitest';
import { createLineSplitter, onLines } from '#shared/lines.ts';

function split(chunks: readonly Buffer[], maxBytes?: number): [line: string, isCut: boolean][] {
  const lines: [string, boolean][] = [];
  const splitter = createLineSplitter((line, isCut) => lines.push([line, isCut]), maxBytes);
  for (const chunk of chunks) {
    const lent = Buffer.from(chunk);
    splitter.push(lent);
    lent.fill(0);
  }
  splitter.end();
  return lines;
}

test.each<[string, string, string[]]>([
  ['nothing', '', []],
  ['a line', 'one\n', ['one']],
  ['a last line without its line feed', 'one\ntwo', ['one', 'two']],
  ['empty lines', '\n\na\n', ['', '', 'a']],
  ['a line separator', 'a\u2028b\nc\n', ['a\u2028b', 'c']],
  ['a paragraph separator', 'a\u2029b\nc\n', ['a\u2029b', 'c']],
  ['a next-line, a form feed, a vertical tab', 'a\u0085b\fc\vd\n', ['a\u0085b\fc\vd']],
  ['carriage returns, which belong to their line', 'a\rb\r\nc\n', ['a\rb\r', 'c']],
  ['characters of several bytes', 'café 日本語 🎈\n', ['café 日本語 🎈']],
])('splits at line feeds only, whatever the chunks: %s', (_name, text, lines) => {
  const bytes = Buffer.from(text);
  const expected = lines.map((line) => [line, false]);
  for (let size = 1; size <= bytes.length + 1; size++) {
    const count = Math.ceil(bytes.length / size);
    const chunks = Array.from({ length: count }, (_, i) => bytes.subarray(i * size, (i + 1) * size));
    expect(split(chunks)).toEqual(expected);
  }
});

test('a line that is too long is handed over cut, and the next one whole', () => {
  const chunks = ['abc', 'def\nab', 'cd\nabcde\n', 'abcdefghi'].map((text) => Buffer.from(text));
  expect(split(chunks, 4)).toEqual([
    ['abcd', true],
    ['abcd', false],
    ['abcd', true],
    ['abcd', true],
  ]);
});

test('takes the lines of a stream up to its end', async () => {
  const stream = new PassThrough();
  const lines: string[] = [];
  onLines(stream, (line) => lines.push(line));
  stream.write('a\u2028b\nc');
  stream.end('d');
  await new Promise((resolve) => stream.once('end', resolve));
  expect(lines).toEqual(['a\u2028b', 'cd']);
});
