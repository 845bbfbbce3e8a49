// Checks an age file (age-encryption.org/v1) without its key: its header is readable, and its size shows whether anything is
// missing.

/** A header has a stanza for each recipient; ours have a few. */
const MAX_HEADER_BYTES = 64 * 1024;
const HEADER =
  /^age-encryption\.org\/v1\n(?:->(?: [\x21-\x7e]+)+\n(?:[A-Za-z0-9+/]{64}\n)*[A-Za-z0-9+/]{0,63}\n)+--- [A-Za-z0-9+/]{43}\n/;

/** The payload is a nonce, then chunks of this many bytes, each with a tag; the last one may be shorter. */
const NONCE_BYTES = 16;
const CHUNK_BYTES = 64 * 1024;
const TAG_BYTES = 16;

export interface AgeInspector {
  take(chunk: Buffer): void;
  /** Faults of a file that should hold this many bytes of content; empty list when it has none. */
  faults(contentBytes: number): string[];
}

/** Size of a payload with this many bytes of content. */
function payloadBytes(contentBytes: number): number {
  const chunks = Math.max(1, Math.ceil(contentBytes / CHUNK_BYTES));
  return NONCE_BYTES + contentBytes + chunks * TAG_BYTES;
}

/** Inspects a file while it is streamed. */
export function createAgeInspector(): AgeInspector {
  const head: Buffer[] = [];
  let headBytes = 0;
  let bytes = 0;
  return {
    take: (chunk) => {
      bytes += chunk.length;
      if (headBytes >= MAX_HEADER_BYTES) return;
      const piece = Buffer.from(chunk.subarray(0, MAX_HEADER_BYTES - headBytes));
      head.push(piece);
      headBytes += piece.length;
    },
    faults: (contentBytes) => {
      const header = HEADER.exec(Buffer.concat(head).toString('latin1'))?.[0];
      if (header === undefined) return ['not an age-encrypted file'];
      const expected = header.length + payloadBytes(contentBytes);
      return bytes === expected
        ? []
        : [`the encrypted file has ${bytes} bytes, ${expected} for its content of ${contentBytes}`];
    },
  };
}
