// Counts the rows of a table's COPY text while it passes, and sees that it ends as pg_dump ends it.

const NEWLINE = 10;
const BACKSLASH = 92;
const DOT = 46;
/** After the line `\.` come two empty ones (pg_dump.c: dumpTableData_copy). */
const CLOSING_NEWLINES = 2;
/** For shorter pieces a loop is faster than a call into Buffer. */
const SHORT_PIECE_BYTES = 256;

export interface RowCounter {
  take(piece: Buffer, from: number, to: number): void;
  /** Rows, or undefined when the text did not end as it should. */
  rows(): number | undefined;
}

function findNewline(piece: Buffer, from: number, to: number): number {
  if (to - from > SHORT_PIECE_BYTES) {
    const found = piece.subarray(from, to).indexOf(NEWLINE);
    return found < 0 ? to : from + found;
  }
  let at = from;
  while (at < to && piece[at] !== NEWLINE) at += 1;
  return at;
}

/** A counter. A value never holds a raw newline, nor is a row ever `\.`: COPY writes them with a backslash before. */
export function createRowCounter(): RowCounter {
  let rows = 0;
  let lineBytes = 0;
  let first = 0;
  let second = 0;
  /** Newlines after the line `\.`; -1 before it; NaN when something else came. */
  let closing = -1;

  function takeLinePart(piece: Buffer, from: number, to: number): void {
    if (lineBytes === 0 && to > from) first = piece[from] ?? 0;
    if (lineBytes < 2 && lineBytes + to - from >= 2) second = piece[from + 1 - lineBytes] ?? 0;
    lineBytes += to - from;
  }

  function endLine(): void {
    if (closing >= 0) closing += 1;
    else if (lineBytes === 2 && first === BACKSLASH && second === DOT) closing = 0;
    else rows += 1;
    lineBytes = 0;
  }

  return {
    take: (piece, from, to) => {
      for (let at = from; at < to; ) {
        const end = findNewline(piece, at, to);
        if (closing >= 0 && end > at) closing = Number.NaN;
        takeLinePart(piece, at, end);
        if (end < to) endLine();
        at = end + 1;
      }
    },
    rows: () => (closing === CLOSING_NEWLINES && lineBytes === 0 ? rows : undefined),
  };
}
