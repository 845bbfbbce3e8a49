// Aligned tables that fit the terminal: one column gives way when there is not room for all.
import { escapeForTerminal } from './escape.ts';
import type { Paint } from './style.ts';
import { displayWidth, truncate } from './width.ts';

/** A cell: its text, and how it is painted once its width is settled. */
export interface Cell {
  text: string;
  paint?: Paint | undefined;
}

export interface Column {
  title: string;
  align?: 'right';
  /** Is cut when the table is too wide; by default the last column is. */
  flexible?: boolean;
  /** How far it is cut before another column is left out; default 8 cells. */
  least?: number;
  /** May be left out of a table that has too little room: the one with the lowest number goes first. */
  dispensable?: number;
}

const GAP = '  ';
const NARROWEST = 8;

/** Lines of the table, none longer than `width`, its titles first; without `head` it has no titles. */
export function renderTable(
  columns: readonly Column[],
  rows: (string | Cell)[][],
  width: number,
  head?: Paint,
): string {
  const cells = rows.map((row) => row.map(toCell));
  const naturals = columns.map((column, i) =>
    Math.max(head ? displayWidth(column.title) : 0, ...cells.map((row) => displayWidth(row[i]?.text ?? ''))),
  );
  const isAnyFlexible = columns.some(({ flexible }) => flexible);
  const tracks = columns.map((column, i) => ({
    column: isAnyFlexible || i < columns.length - 1 ? column : { ...column, flexible: true },
    index: i,
    width: naturals[i] ?? 0,
  }));
  const layout = layOut(tracks, width);
  const titles = head ? [columns.map(({ title }) => ({ text: title, paint: head }))] : [];
  return [...titles, ...cells].map((row) => renderRow(row, layout)).join('');
}

function toCell(cell: string | Cell): Cell {
  return typeof cell === 'string'
    ? { text: escapeForTerminal(cell) }
    : { text: escapeForTerminal(cell.text), paint: cell.paint };
}

/** A column that is shown, and how wide. */
interface Track {
  column: Column;
  index: number;
  width: number;
}

function excessOf(tracks: readonly Track[], width: number): number {
  return tracks.reduce((sum, track) => sum + track.width, 0) + GAP.length * (tracks.length - 1) - width;
}

/** Makes the columns fit: cuts the flexible ones, leaves out dispensable ones, and at last cuts whatever is widest. */
function layOut(naturals: readonly Track[], width: number): Track[] {
  const cut = cutTracks(naturals, width, ({ column }) =>
    column.flexible ? (column.least ?? NARROWEST) : Infinity,
  );
  if (excessOf(cut, width) <= 0) return cut;
  const places = naturals.map(({ column }) => column.dispensable ?? Infinity);
  const first = Math.min(...places);
  if (first < Infinity)
    return layOut(
      naturals.filter(({ column }) => column.dispensable !== first),
      width,
    );
  return cutTracks(cut, width, () => 1);
}

/** Takes cells from the widest column that is wider than its least, until the table fits or nothing is left to take. */
function cutTracks(tracks: readonly Track[], width: number, leastOf: (track: Track) => number): Track[] {
  const cut = tracks.map((track) => ({ ...track }));
  for (let excess = excessOf(cut, width); excess > 0; excess -= 1) {
    const widest = cut
      .filter((track) => track.width > leastOf(track))
      .toSorted((a, b) => b.width - a.width)[0];
    if (!widest) break;
    widest.width -= 1;
  }
  return cut;
}

function renderRow(row: Cell[], tracks: readonly Track[]): string {
  const parts = tracks.map(({ column, index, width }) => {
    const cell = row[index] ?? { text: '' };
    const text = truncate(cell.text, width);
    const padding = ' '.repeat(Math.max(0, width - displayWidth(text)));
    const painted = cell.paint && text !== '' ? cell.paint(text) : text;
    return column.align === 'right' ? padding + painted : painted + padding;
  });
  return `${parts.join(GAP).trimEnd()}\n`;
}
