// The newest lines of a live stream, bounded in number and size: what a side that was cut off, or is slow, can still get.
import type { LogLine } from '../operations/logs.ts';
import type { DroppedFrame, LinesFrame } from './frames.ts';

/** One line, or (without `line`) a gap of `count` numbers. */
interface Entry {
  from: number;
  count: number;
  line?: LogLine;
  size: number;
}

export interface LineRing {
  /** Number of the line that comes next. */
  next(): number;
  append(line: LogLine): void;
  /** Leaves out `count` numbers: lines that were lost before they came here. */
  skip(count: number): void;
  /** What comes at number `from`: lines, a loss, or undefined when there is nothing yet. */
  read(from: number, maxLines: number): LinesFrame | DroppedFrame | undefined;
}

/** A ring of at most `maxLines` lines and `maxCharacters` characters. */
export function createLineRing(maxLines: number, maxCharacters: number): LineRing {
  let entries: Entry[] = [];
  let start = 0;
  let size = 0;
  let next = 1;

  function push(entry: Entry): void {
    entries.push(entry);
    next += entry.count;
    size += entry.size;
    while (entries.length - start > maxLines || (size > maxCharacters && entries.length - start > 1)) {
      size -= entries[start]?.size ?? 0;
      start += 1;
    }
    // Forgetting in bulk: taking the first of a long array each time would copy it each time. Never more is kept for that
    // than what counts: with long lines `maxLines` of them would be many times `maxCharacters`.
    if (start * 2 > entries.length) {
      entries = entries.slice(start);
      start = 0;
    }
  }

  return {
    next: () => next,
    append: (line) => push({ from: next, count: 1, line, size: line.message.length }),
    skip: (count) => push({ from: next, count, size: 0 }),
    read(from, maxCount) {
      const first = entries[start];
      if (!first || from >= next) return undefined;
      if (from < first.from) return { type: 'dropped', from, count: first.from - from };
      return readAt(entries, indexOf(entries, start, from), from, maxCount);
    },
  };
}

/** Index of the entry that holds number `from`; entries are in order, so halving finds it. */
function indexOf(entries: Entry[], start: number, from: number): number {
  let low = start;
  let high = entries.length - 1;
  while (low < high) {
    const middle = Math.ceil((low + high) / 2);
    if ((entries[middle]?.from ?? 0) <= from) low = middle;
    else high = middle - 1;
  }
  return low;
}

function readAt(
  entries: Entry[],
  index: number,
  from: number,
  maxCount: number,
): LinesFrame | DroppedFrame | undefined {
  const entry = entries[index];
  if (!entry) return undefined;
  if (!entry.line) return { type: 'dropped', from, count: entry.from + entry.count - from };
  const lines: LogLine[] = [];
  for (let i = index; i < entries.length && lines.length < maxCount; i++) {
    const line = entries[i]?.line;
    if (!line) break;
    lines.push(line);
  }
  return { type: 'lines', from, lines };
}
