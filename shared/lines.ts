// Lines of a program's output or of a socket. Node's readline also splits at U+2028, U+2029 and a lone carriage return,
// which are ordinary characters in a name or a log line; here only a line feed ends a line.

const LINE_FEED = 10;
const DEFAULT_MAX_BYTES = 1024 * 1024;

/** Takes a line without its line feed. `isCut` says that the line was longer than allowed and that its end is missing. */
export type TakeLine = (line: string, isCut: boolean) => void;

export interface LineSplitter {
  push(chunk: Uint8Array): void;
  /** Hands over what follows the last line feed, if anything does. */
  end(): void;
}

/** Splits bytes into lines of UTF-8. A line of more than `maxBytes` is handed over cut, and its rest is dropped. */
export function createLineSplitter(onLine: TakeLine, maxBytes = DEFAULT_MAX_BYTES): LineSplitter {
  let pieces: Uint8Array[] = [];
  let bytes = 0;
  let isCut = false;

  function keep(piece: Uint8Array): void {
    const room = maxBytes - bytes;
    if (piece.length > room) isCut = true;
    if (room <= 0 || piece.length === 0) return;
    // A copy: whoever sent the chunk may use its memory again.
    pieces.push(Uint8Array.prototype.slice.call(piece, 0, room));
    bytes += Math.min(room, piece.length);
  }

  function handOver(): void {
    const [line, wasCut] = [Buffer.concat(pieces, bytes).toString('utf8'), isCut];
    pieces = [];
    bytes = 0;
    isCut = false;
    onLine(line, wasCut);
  }

  return {
    push: (chunk) => {
      let from = 0;
      for (let at = chunk.indexOf(LINE_FEED); at >= 0; at = chunk.indexOf(LINE_FEED, from)) {
        keep(chunk.subarray(from, at));
        handOver();
        from = at + 1;
      }
      keep(chunk.subarray(from));
    },
    end: () => {
      if (bytes > 0) handOver();
    },
  };
}

/** Hands over each line of a stream of bytes, the last one also when it has no line feed. */
export function onLines(stream: NodeJS.ReadableStream, onLine: TakeLine, maxBytes?: number): void {
  const splitter = createLineSplitter(onLine, maxBytes);
  stream.on('data', (chunk: Buffer) => splitter.push(chunk));
  stream.once('end', splitter.end);
}
