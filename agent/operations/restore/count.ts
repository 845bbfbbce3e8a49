// Rows in the filled database, counted without a plan: no index and no code of the users' is used.
import { randomUUID } from 'node:crypto';
import type { ListingEntry } from '#shared/backup/archive/listing.ts';
import { LamplighterError } from '#shared/errors.ts';
import { awaitEnd, killOnAbort, mustHaveEndedWell } from '../../host/joined.ts';
import { NO_TRANSACTION_TIMEOUT, quoteName } from '../../host/postgres.ts';
import { newestProgram } from '../../host/postgres-programs.ts';
import { startProgram } from '../../host/process.ts';
import { sessionOptions } from '../../host/sql-script.ts';
import { type Filling, sessionOf } from './pass.ts';
import { nameEntry } from './refused.ts';

const NEWLINE = 10;

/** A table's name for SQL, in the bytes of the dump. */
export function tableName({ schema, tag }: ListingEntry): string {
  return `${quoteName(schema)}.${quoteName(tag)}`;
}

/**
 * Counts lines between marks. A row of COPY's text is one line; a mark is a line of its own that nobody could have foreseen.
 */
export function createLineCounter(mark: Buffer): { take(chunk: Buffer): void; counts(): number[] } {
  const counts: number[] = [];
  let lines = 0;
  let line = Buffer.alloc(0);
  const takeLine = (end: Buffer): void => {
    if (line.length + end.length === mark.length && Buffer.concat([line, end]).equals(mark)) {
      counts.push(lines);
      lines = 0;
    } else lines += 1;
    line = Buffer.alloc(0);
  };
  return {
    take: (chunk) => {
      let from = 0;
      for (let at = chunk.indexOf(NEWLINE); at >= 0; at = chunk.indexOf(NEWLINE, from)) {
        takeLine(chunk.subarray(from, at));
        from = at + 1;
      }
      // Of a line that is not whole yet only as much is kept as a mark is long.
      if (line.length <= mark.length)
        line = Buffer.concat([line, chunk.subarray(from, from + mark.length + 1)]);
    },
    counts: () => counts,
  };
}

/** Counts the rows of each table by `COPY … TO STDOUT`, which reads the table alone, in the order on the disk. */
async function countRows(filling: Filling, tables: readonly ListingEntry[]): Promise<number[]> {
  const options = await sessionOptions(sessionOf(filling, 'restorer'));
  const mark = randomUUID();
  const psql = startProgram(
    {
      file: newestProgram('psql'),
      ...options,
      args: ['-X', '-q', '-A', '-t', '-v', 'ON_ERROR_STOP=1', ...options.args],
    },
    ['pipe', 'pipe', 'pipe'],
  );
  killOnAbort(psql, filling.signal);
  const counter = createLineCounter(Buffer.from(mark));
  psql.stdout?.on('data', counter.take);
  psql.stdin?.on('error', () => undefined);
  const script = tables.flatMap((table) => [`COPY ${tableName(table)} TO STDOUT;`, `\\echo ${mark}`]);
  const lines = [filling.dump.encodingStatement, ...script, ''];
  psql.stdin?.end(Buffer.from(`${NO_TRANSACTION_TIMEOUT}${lines.join('\n')}`, 'latin1'));
  mustHaveEndedWell([await awaitEnd('psql', psql)]);
  return counter.counts();
}

export interface RowFindings {
  rows: number;
  /** Tables whose rows are not those of the dump, for people. */
  wrong: string[];
}

/** Holds the rows in the database against those in the dump, table by table. */
export async function compareRows(
  filling: Filling,
  expected: ReadonlyMap<number, number>,
  absent: ReadonlySet<number>,
): Promise<RowFindings> {
  const { entries } = filling.dump;
  const tables = entries.filter(({ kind, dumpId }) => kind === 'TABLE DATA' && !absent.has(dumpId));
  const own = new Set(entries.filter(({ kind }) => kind === 'TABLE').map(tableName));
  const found = await countRows(filling, tables);
  if (found.length !== tables.length)
    throw new LamplighterError(
      'failed',
      `count rows: PostgreSQL counted ${found.length} of ${tables.length} tables`,
    );
  const wrong = tables.flatMap((table, i) => {
    const [there, wanted] = [found[i] ?? 0, expected.get(table.dumpId) ?? 0];
    // An extension's table has rows of its own besides those of the dump.
    const isRight = own.has(tableName(table)) ? there === wanted : there >= wanted;
    return isRight ? [] : [`${nameEntry(table)}: ${there} rows, ${wanted} in the dump`];
  });
  return { rows: tables.reduce((sum, { dumpId }) => sum + (expected.get(dumpId) ?? 0), 0), wrong };
}
