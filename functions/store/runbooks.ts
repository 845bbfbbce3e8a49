// Versions of the runbook; the newest is in force.
import * as z from 'zod';
import type { RunbookVersionView } from '#shared/api/runbook-views.ts';
import { LamplighterError } from '#shared/errors.ts';
import { CATALOGUE } from '#shared/operations/catalogue.ts';
import type { Runbook } from '#shared/runbook/schema.ts';
import { type Queryable, queryRow } from './database.ts';
import { MAX_DOCUMENT_LENGTH, readDocument } from './runbook-document.ts';

export interface CurrentRunbook {
  version: number;
  appliedAt: Date;
  appliedBy: string;
  text: string;
  runbook: Runbook;
}

const RunbookRow = z.lazy(() =>
  z.object({
    version: z.number(),
    text: z.string(),
    appliedAt: z.date(),
    appliedBy: z.string(),
  }),
);
type RunbookRow = z.infer<typeof RunbookRow>;

const DocumentRow = z.lazy(() => z.object({ document: z.string() }));

/** The last parsed version: it changes rarely and is read with every command. */
let parsed: { text: string; runbook: Runbook } | undefined;

async function parse(db: Queryable, { text, version }: RunbookRow): Promise<Runbook> {
  if (parsed?.text === text) return parsed.runbook;
  const runbook = (await findStored(db, version)) ?? (await parseText(text, version));
  parsed = { text, runbook };
  return runbook;
}

/** The runbook from a version's document; undefined when there is no readable document. */
async function findStored(db: Queryable, version: number): Promise<Runbook | undefined> {
  const row = await queryRow(
    db,
    DocumentRow,
    'SELECT document FROM runbook_versions WHERE version = $1 AND length(document) <= $2',
    [version, MAX_DOCUMENT_LENGTH],
  );
  return row && readDocument(row.document);
}

/** The runbook from the text of a version without a readable document. */
async function parseText(text: string, version: number): Promise<Runbook> {
  const { parseRunbook } = await import('#shared/runbook/parse.ts');
  const outcome = parseRunbook(text, CATALOGUE);
  if (outcome.runbook) return outcome.runbook;
  const fault = outcome.ok ? undefined : outcome.errors[0];
  throw new LamplighterError(
    'corrupt',
    `read runbook version ${version}: ${fault?.path ?? ''}: ${fault?.message ?? ''}`,
    { hint: 'Apply the runbook again: it was written for another version of Lamplighter.' },
  );
}

/** The runbook in force, or undefined before the first was applied. */
export async function findRunbook(db: Queryable): Promise<CurrentRunbook | undefined> {
  const row = await queryRow(
    db,
    RunbookRow,
    `SELECT version, text, applied_at AS "appliedAt", applied_by AS "appliedBy"
     FROM runbook_versions ORDER BY version DESC LIMIT 1`,
  );
  if (!row) return undefined;
  const { version, text, appliedAt, appliedBy } = row;
  return { version, text, appliedAt, appliedBy, runbook: await parse(db, row) };
}

/** The runbook in force; throws `conflict` before the first was applied. */
export async function requireRunbook(db: Queryable): Promise<CurrentRunbook> {
  const current = await findRunbook(db);
  if (current) return current;
  throw new LamplighterError('conflict', 'read runbook: none was applied yet', {
    hint: 'Apply one: lamp runbook apply runbook.yaml',
  });
}

const RUNBOOK_LOCK = 7_261_948;
const Version = z.lazy(() => z.object({ version: z.number() }));

/** Stores a text as the next version and returns its number; the text in force keeps its version. */
export async function insertRunbook(
  tx: Queryable,
  entry: { text: string; document: string | null; appliedAt: Date; appliedBy: string },
): Promise<{ version: number; isNew: boolean }> {
  await tx.query('SELECT pg_advisory_xact_lock($1)', [RUNBOOK_LOCK]);
  const current = await queryRow(
    tx,
    RunbookRow.unwrap().pick({ version: true, text: true }),
    'SELECT version, text FROM runbook_versions ORDER BY version DESC LIMIT 1',
  );
  if (current?.text === entry.text) return { version: current.version, isNew: false };
  const inserted = await queryRow(
    tx,
    Version,
    `INSERT INTO runbook_versions (version, text, document, applied_at, applied_by) VALUES ($1, $2, $3, $4, $5)
     RETURNING version`,
    [(current?.version ?? 0) + 1, entry.text, entry.document, entry.appliedAt, entry.appliedBy],
  );
  return { version: inserted?.version ?? 0, isNew: true };
}

/** A version as the API shows it. */
export function toRunbookView({ version, appliedAt, appliedBy, text }: CurrentRunbook): RunbookVersionView {
  return { version, appliedAt: appliedAt.toISOString(), appliedBy, text };
}
