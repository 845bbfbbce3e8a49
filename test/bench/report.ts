// Rows of a benchmark: ours beside what one would use instead, medians with their spread, as a table and as one object.
import { cpus, totalmem } from 'node:os';

export interface Row {
  measure: string;
  unit: string;
  ours: Spread;
  beside: Spread | null;
  besideName: string;
  /** Ours has to be at most this (`ms`, `MiB`, `score`) or at least this (`MB/s`). Null: the figure is only shown. */
  goal: number | null;
}

export interface Spread {
  median: number;
  min: number;
  max: number;
}

/** Value at a quantile of samples, by the nearest rank. */
export function quantile(samples: readonly number[], q: number): number {
  const sorted = samples.toSorted((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.ceil(q * sorted.length) - 1)] ?? Number.NaN;
}

/** Median, least and greatest of samples. */
export function spreadOf(samples: readonly number[]): Spread {
  return { median: quantile(samples, 0.5), min: Math.min(...samples), max: Math.max(...samples) };
}

/** A spread around one quantile, for figures such as p99. */
export function at(value: number): Spread {
  return { median: value, min: value, max: value };
}

function isMet({ unit, ours, goal }: Row): boolean | null {
  if (goal === null) return null;
  return unit.endsWith('/s') ? ours.median >= goal : ours.median <= goal;
}

function figure(value: number): string {
  return value >= 100 ? value.toFixed(0) : value >= 10 ? value.toFixed(1) : value.toFixed(2);
}

function spread({ median, min, max }: Spread): string {
  return min === max ? figure(median) : `${figure(median)} (${figure(min)}–${figure(max)})`;
}

/** What the figures were measured on. */
export function machine(): string {
  return `${cpus().length} × ${cpus()[0]?.model.trim() ?? 'unknown CPU'}, ${Math.round(totalmem() / 2 ** 30)} GiB, Node ${process.version}`;
}

/** The table for people. */
export function writeTable(name: string, rows: readonly Row[]): string {
  const cells = rows.map((row) => [
    row.measure,
    row.unit,
    spread(row.ours),
    row.beside ? spread(row.beside) : '–',
    row.besideName,
    row.beside ? (row.ours.median / row.beside.median).toFixed(2) : '–',
    row.goal === null ? '–' : `${row.goal} ${isMet(row) ? 'met' : 'NOT MET'}`,
  ]);
  const all = [['measure', 'unit', 'ours', 'beside', 'what', 'ratio', 'goal'], ...cells];
  const widths = all[0]?.map((_, i) => Math.max(...all.map((row) => row[i]?.length ?? 0))) ?? [];
  const lines = all.map((row) =>
    row
      .map((cell, i) => cell.padEnd(widths[i] ?? 0))
      .join('  ')
      .trimEnd(),
  );
  return [`${name}: ${machine()}`, ...lines].join('\n');
}

/** The object for machines, on one line. */
export function writeJson(name: string, rows: readonly Row[]): string {
  return JSON.stringify({
    bench: name,
    machine: machine(),
    rows: rows.map((row) => ({
      ...row,
      ratio: row.beside ? row.ours.median / row.beside.median : null,
      met: isMet(row),
    })),
  });
}
