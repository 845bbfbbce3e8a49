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
  /** The column that is cut when the table is too wide; by default the last. */
  flexible?: boolean;
}

const GAP = '  ';
const NARROWEST = 8;

/** Lines of the table, its titles first, none longer than `width` unless the fixed columns alone are. */
export function renderTable(
  columns: Column[],
  rows: (string | Cell)[][],
  width: number,
  head: Paint,
): string {
  const cells = rows.map((row) => row.map(toCell));
  const widths = columns.map((column, i) =>
    Math.max(displayWidth(column.title), ...cells.map((row) => displayWidth(row[i]?.text ?? ''))),
  );
  shrink(columns, widths, width);
  const titles = columns.map((column) => ({ text: column.title, paint: head }));
  return [titles, ...cells].map((row) => renderRow(row, columns, widths)).join('');
}

function toCell(cell: string | Cell): Cell {
  return typeof cell === 'string'
    ? { text: escapeForTerminal(cell) }
    : { text: escapeForTerminal(cell.text), paint: cell.paint };
}

function shrink(columns: Column[], widths: number[], width: number): void {
  const total = widths.reduce((sum, w) => sum + w, 0) + GAP.length * (widths.length - 1);
  if (total <= width) return;
  const marked = columns.findIndex((column) => column.flexible);
  const index = marked === -1 ? widths.length - 1 : marked;
  const natural = widths[index] ?? 0;
  widths[index] = Math.min(natural, Math.max(NARROWEST, natural - (total - width)));
}

function renderRow(row: Cell[], columns: Column[], widths: number[]): string {
  const parts = columns.map((column, i) => {
    const cell = row[i] ?? { text: '' };
    const cells = widths[i] ?? 0;
    const text = truncate(cell.text, cells);
    const padding = ' '.repeat(Math.max(0, cells - displayWidth(text)));
    const painted = cell.paint ? cell.paint(text) : text;
    return column.align === 'right' ? padding + painted : painted + padding;
  });
  return `${parts.join(GAP).trimEnd()}\n`;
}
