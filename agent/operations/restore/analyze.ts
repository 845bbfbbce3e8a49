// ANALYZE of what was restored.
import type { ListingEntry } from '#shared/backup/archive/listing.ts';
import { runScript } from '../../host/sql-script.ts';
import { tableName } from './count.ts';
import { type Filling, sessionOf } from './pass.ts';

const MAX_TOLD = 5;
const ANALYZE_TIMEOUT_MS = 6 * 3_600_000;

/** ANALYZE of each table, as the restoring role. A failure is only a note: the rows are there. */
export async function analyzeTables(
  filling: Filling,
  entries: readonly ListingEntry[],
  note: (text: string) => void,
): Promise<void> {
  const kinds = new Set(['TABLE', 'MATERIALIZED VIEW']);
  const tables = entries.filter(({ kind }) => kinds.has(kind));
  if (tables.length === 0) return;
  try {
    const { errors } = await runScript({
      ...sessionOf(filling, 'restorer'),
      sql: [filling.dump.encodingStatement, ...tables.map((table) => `ANALYZE ${tableName(table)};`)].join(
        '\n',
      ),
      timeoutMs: ANALYZE_TIMEOUT_MS,
      signal: filling.signal,
      stopsAtError: false,
    });
    if (errors.length > 0)
      note(`ANALYZE failed on ${errors.length} tables: ${errors.slice(0, MAX_TOLD).join('; ')}`);
  } catch (error) {
    filling.signal.throwIfAborted();
    note(`ANALYZE failed: ${error instanceof Error ? error.message : String(error)}`);
  }
}
