// Colours, only on a terminal and never against NO_COLOR (no-color.org).
import type { Io } from '../io.ts';

export type Paint = (text: string) => string;

export interface Palette {
  red: Paint;
  yellow: Paint;
  green: Paint;
  dim: Paint;
  bold: Paint;
}

const PLAIN: Paint = (text) => text;

function sgr(on: number, off: number): Paint {
  return (text) => `\u001b[${on}m${text}\u001b[${off}m`;
}

/** Paints for the stream that `isTty` speaks of. */
export function palette(io: Pick<Io, 'env'>, isTty: boolean): Palette {
  if (!isTty || io.env['NO_COLOR'] || io.env['TERM'] === 'dumb') {
    return { red: PLAIN, yellow: PLAIN, green: PLAIN, dim: PLAIN, bold: PLAIN };
  }
  return { red: sgr(31, 39), yellow: sgr(33, 39), green: sgr(32, 39), dim: sgr(2, 22), bold: sgr(1, 22) };
}
