// One line of several facts that fits the terminal.
import { displayWidth, truncate } from './width.ts';

export interface Part {
  text: string;
  /** The same text, painted. */
  shown?: string | undefined;
}

const GAP = '  ';

/** The parts side by side, the most important first: those that have no room are left out, and the first is cut. */
export function joinFitting(parts: readonly Part[], width: number): string {
  const [first, ...rest] = parts;
  if (!first) return '';
  if (displayWidth(first.text) > width) return truncate(first.text, width);
  let used = displayWidth(first.text);
  let line = first.shown ?? first.text;
  for (const { text, shown } of rest) {
    const cells = GAP.length + displayWidth(text);
    if (used + cells > width) break;
    used += cells;
    line += GAP + (shown ?? text);
  }
  return line;
}
