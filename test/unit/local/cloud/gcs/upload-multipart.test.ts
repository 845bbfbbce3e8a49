import { expect, test } from 'vitest';
import { boundaryOf, readMultipart } from '#local/cloud/gcs/upload-multipart.ts';

const MEDIA = 'x\r\n--\r\n--boundar\r\n-\r\n\r\n';
const MESSAGE = `--boundary\r\nContent-Type: application/json\r\n\r\n{"name":"n"}\r\n--boundary\r\nContent-Type: text/plain; charset=x\r\n\r\n${MEDIA}\r\n--boundary--\r\n`;

function read(text: string): [string, string | undefined, string] {
  const { metadata, mediaType, media } = readMultipart(Buffer.from(text), 'boundary');
  return [metadata.toString(), mediaType, media.toString()];
}

test('reads metadata and media, also media that looks like a boundary', () => {
  expect(read(MESSAGE)).toEqual(['{"name":"n"}', 'text/plain; charset=x', MEDIA]);
});

test('refuses a message that ends anywhere before its closing boundary', () => {
  const end = MESSAGE.length - 2;
  for (let length = 0; length < end; length += 1)
    expect(() => read(MESSAGE.slice(0, length))).toThrow(expect.objectContaining({ status: 400 }));
});

test('refuses a third part', () => {
  const third = MESSAGE.replace(/--\r\n$/, '\r\n\r\nmore\r\n--boundary--\r\n');
  expect(() => read(third)).toThrow('exactly two parts');
});

test.each([
  ['multipart/related; boundary=a_b', 'a_b'],
  ['multipart/related; boundary="a b"', 'a b'],
  ['Multipart/Related; type=x; Boundary=a; y=z', 'a'],
])('finds the boundary in %s', (header, boundary) => {
  expect(boundaryOf(header)).toBe(boundary);
});

test.each([undefined, 'text/plain', 'multipart/related', 'multipart/related; boundary='])(
  'refuses %s',
  (header) => {
    expect(() => boundaryOf(header)).toThrow(/boundary/);
  },
);
