// A multipart/related upload (RFC 2387) as a stream: the metadata part, then the media part, in bounded memory.
// cloud.google.com/storage/docs/uploading-objects#uploading-an-object
import { invalid } from './fault.ts';
import { MAX_JSON_BYTES } from './limits.ts';

const MAX_PART_HEADER_BYTES = 16 * 1_024;

export interface MultipartUpload {
  metadata: Buffer;
  mediaType: string | undefined;
  /** Throws 400 at its end when the closing boundary is missing: then the upload was cut. */
  media: AsyncIterable<Buffer>;
}

/** Throws 400 when there is no boundary. Google's Python clients put it in single quotes. */
export function boundaryOf(contentType: string | undefined): string {
  const match = /^multipart\/[^;]+;.*boundary=(?:"([^"]{1,200})"|'([^']{1,200})'|([^\s;,]{1,200}))/i.exec(
    contentType ?? '',
  );
  const boundary = match?.[1] ?? match?.[2] ?? match?.[3];
  if (!boundary)
    throw invalid('A multipart upload needs a Content-Type of multipart/related with a boundary.');
  return boundary;
}

export async function readMultipart(body: AsyncIterable<Buffer>, boundary: string): Promise<MultipartUpload> {
  const reader = new DelimitedReader(body);
  await reader.readUntil(Buffer.from(`--${boundary}`), MAX_PART_HEADER_BYTES);
  // Python's e-mail package, which Google's command-line clients use, ends lines with a bare line feed.
  const eol = (await reader.peek(1)).toString() === '\n' ? '\n' : '\r\n';
  const delimiter = Buffer.from(`${eol}--${boundary}`);
  await readPartHeaders(reader, eol);
  const metadata = await reader.readUntil(delimiter, MAX_JSON_BYTES);
  const headers = await readPartHeaders(reader, eol);
  const mediaType = /^content-type:[ \t]*(.+?)[ \t]*\r?$/im.exec(headers)?.[1];
  return { metadata, mediaType, media: readMedia(reader, delimiter) };
}

async function* readMedia(reader: DelimitedReader, delimiter: Buffer): AsyncGenerator<Buffer> {
  yield* reader.streamUntil(delimiter);
  if ((await reader.peek(2)).toString() !== '--') throw invalid('A multipart upload has exactly two parts.');
}

/** The reader stands right behind a boundary; the headers end with an empty line. */
async function readPartHeaders(reader: DelimitedReader, eol: string): Promise<string> {
  const headers = await reader.readUntil(Buffer.from(eol + eol), MAX_PART_HEADER_BYTES);
  return headers.toString('latin1');
}

class DelimitedReader {
  readonly #source: AsyncIterator<Buffer>;
  #buffer: Buffer = Buffer.alloc(0);

  constructor(body: AsyncIterable<Buffer>) {
    this.#source = body[Symbol.asyncIterator]();
  }

  async peek(bytes: number): Promise<Buffer> {
    while (this.#buffer.length < bytes && (await this.#fill())) continue;
    return this.#buffer.subarray(0, bytes);
  }

  async readUntil(delimiter: Buffer, maxBytes: number): Promise<Buffer> {
    const parts: Buffer[] = [];
    let size = 0;
    for await (const part of this.streamUntil(delimiter)) {
      size += part.length;
      if (size > maxBytes) throw invalid(`A part of the multipart upload exceeds ${maxBytes} bytes.`);
      parts.push(part);
    }
    return Buffer.concat(parts);
  }

  /** Leaves the reader right behind the delimiter. */
  async *streamUntil(delimiter: Buffer): AsyncGenerator<Buffer> {
    for (;;) {
      const at = this.#buffer.indexOf(delimiter);
      if (at >= 0) {
        if (at > 0) yield this.#take(at);
        this.#take(delimiter.length);
        return;
      }
      // A delimiter may begin in the last bytes and end in the next chunk.
      const safe = this.#buffer.length - delimiter.length + 1;
      if (safe > 0) yield this.#take(safe);
      if (!(await this.#fill())) throw invalid('The multipart upload ends before its closing boundary.');
    }
  }

  #take(bytes: number): Buffer {
    const taken = this.#buffer.subarray(0, bytes);
    this.#buffer = this.#buffer.subarray(bytes);
    return taken;
  }

  async #fill(): Promise<boolean> {
    const next = await this.#source.next();
    if (next.done) return false;
    this.#buffer = this.#buffer.length === 0 ? next.value : Buffer.concat([this.#buffer, next.value]);
    return true;
  }
}
