import { expect, test } from 'vitest';
import { boundaryOf, readMultipart } from '#local/cloud/gcs/multipart.ts';

const MEDIA = 'x\r\n--\r\n--boundar\r\n-\r\n\r\n';
const MESSAGE = `--boundary\r\nContent-Type: application/json\r\n\r\n{"name":"n"}\r\n--boundary\r\nContent-Type: text/plain; charset=x\r\n\r\n${MEDIA}\r\n--boundary--\r\n`;

async function* inPieces(text: string, size: number): AsyncGenerator<Buffer> {
  const bytes = Buffer.from(text);
  for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size);
}

async function read(text: string, size: number): Promise<[string, string | undefined, string]> {
  const { metadata, mediaType, media } = await readMultipart(inPieces(text, size), 'boundary');
  const chunks: Buffer[] = [];
  for await (const chunk of media) chunks.push(chunk);
  return [metadata.toString(), mediaType, Buffer.concat(chunks).toString()];
}

test('reads the same however the bytes are cut', async () => {
  for (let size = 1; size <= MESSAGE.length; size += 1)
    expect(await read(MESSAGE, size)).toEqual(['{"name":"n"}', 'text/plain; charset=x', MEDIA]);
});

test('refuses a message that ends anywhere before its closing boundary', async () => {
  const end = MESSAGE.length - 2;
  for (let length = 0; length < end; length += 1)
    await expect(read(MESSAGE.slice(0, length), 16)).rejects.toMatchObject({ status: 400 });
});

test('takes parts without headers', async () => {
  const message = '--boundary\r\n\r\n{}\r\n--boundary\r\n\r\nmedia\r\n--boundary--';
  expect(await read(message, 5)).toEqual(['{}', undefined, 'media']);
});

test('does not gather metadata without end', async () => {
  const message = `--boundary\r\n\r\n${'x'.repeat(2_000_000)}`;
  await expect(read(message, 65_536)).rejects.toMatchObject({ status: 400 });
});

test.each([
  ['multipart/related; boundary=a_b', 'a_b'],
  ['multipart/related; boundary="a b"', 'a b'],
  ["multipart/related; boundary='=='", '=='],
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
