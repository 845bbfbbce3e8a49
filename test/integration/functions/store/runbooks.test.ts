// The runbook's document beside its text: a start reads JSON, and the text only where that is not to be had.
import { afterAll, beforeAll, beforeEach, expect, test, vi } from 'vitest';
import { migrate } from '#functions/store/migrate.ts';
import { writeDocument } from '#functions/store/runbook-document.ts';
import { findRunbook, insertRunbook } from '#functions/store/runbooks.ts';
import { CATALOGUE } from '#shared/operations/catalogue.ts';
import { parseRunbook } from '#shared/runbook/parse.ts';
import { createTestDatabase, type TestDatabase } from '#test/fixtures/postgres.ts';

let database: TestDatabase;
beforeAll(async () => {
  database = await createTestDatabase();
});
afterAll(() => database.drop());
beforeEach(async () => {
  await database.db.query('DELETE FROM runbook_versions');
});

const MIGRATION = '018-runbook-document.sql';
const APPLIED = { appliedAt: new Date('2026-11-23T09:00:00.000Z'), appliedBy: 'test' };

/** A text of its own: the store remembers the last one that it parsed. */
function runbookText(name: string): string {
  return `version: 1\nname: ${name}\nhosts:\n  web-1: { address: 192.0.2.1 }\n`;
}

async function nameInForce(text: string, document: string | null): Promise<string | undefined> {
  await database.db.transaction((tx) => insertRunbook(tx, { text, document, ...APPLIED }));
  return (await findRunbook(database.db))?.runbook.name;
}

function documentOf(text: string): string | null {
  const outcome = parseRunbook(text, CATALOGUE);
  if (!outcome.ok) throw new Error(outcome.errors[0]?.message);
  return writeDocument(outcome);
}

test('a document is read in place of its text', async () => {
  expect(await nameInForce('no YAML: [', documentOf(runbookText('stored')))).toBe('stored');
});

test('a document has no defaults, so that it is read with those of the version that reads it', async () => {
  const text = runbookText('plain');
  expect(JSON.parse(documentOf(text) ?? '')).toEqual({
    version: 1,
    name: 'plain',
    hosts: { 'web-1': { address: '192.0.2.1' } },
  });
  await nameInForce(text, documentOf(text));
  const parsed = parseRunbook(text, CATALOGUE);
  expect((await findRunbook(database.db))?.runbook).toEqual(parsed.runbook);
});

test.each([
  ['none', null],
  ['one that is no JSON', '{'],
  ['one of another shape', '{"version":2,"name":"other"}'],
  ['one with a key that this version does not know', '{"version":1,"name":"x","hosts":{},"more":1}'],
])('with %s the text is read', async (name, document) => {
  expect(await nameInForce(runbookText(name), document)).toBe(name);
});

test('a document that JSON would change is not stored', () => {
  const outcome = parseRunbook(runbookText('endless'), CATALOGUE);
  if (!outcome.ok) throw new Error(outcome.errors[0]?.message);
  const { runbook } = outcome;
  expect(writeDocument({ runbook, document: { ...runbook, version: Number.POSITIVE_INFINITY } })).toBeNull();
});

/** 99 aliases of one long text: the document as JSON is a hundred times as long as this. */
function textOfAliases(name: string): string {
  const aliases = Array.from({ length: 99 }, (_, n) => `  c${n}: { host: web-1, http: { url: *long } }\n`);
  const long = `http://{address}/${'x'.repeat(30_000)}`;
  return `${runbookText(name)}checks:\n  c: { host: web-1, http: { url: &long "${long}" } }\n${aliases.join('')}`;
}

test('a document far longer than its text is not written', async () => {
  const text = textOfAliases('aliases');
  const outcome = parseRunbook(text, CATALOGUE);
  if (!outcome.ok) throw new Error(outcome.errors[0]?.message);
  // What comes behind the bound is not even looked at.
  const behind = vi.fn(() => 0);
  const document = { ...(outcome.document as object), behind: { toJSON: behind } };
  expect(writeDocument({ runbook: outcome.runbook, document })).toBeNull();
  expect(behind).not.toHaveBeenCalled();
  expect(await nameInForce(text, documentOf(text))).toBe('aliases');
});

test('in place of a document that is too long the text is read', async () => {
  const document = JSON.stringify(parseRunbook(textOfAliases('long'), CATALOGUE).runbook);
  expect(await nameInForce(runbookText('short'), document)).toBe('short');
});

test('a document is asked for once', async () => {
  const text = runbookText('once');
  await nameInForce(text, documentOf(text));
  const query = vi.spyOn(database.db, 'query');
  try {
    expect((await findRunbook(database.db))?.runbook.name).toBe('once');
    expect(query.mock.calls.filter(([sql]) => sql.includes('document'))).toEqual([]);
    expect(query).toHaveBeenCalledOnce();
  } finally {
    query.mockRestore();
  }
});

test('a database of before is migrated once, and the version in force stays it', async () => {
  await database.db.query('ALTER TABLE runbook_versions DROP COLUMN document');
  await database.db.query('DELETE FROM schema_migrations WHERE name = $1', [MIGRATION]);
  await database.db.query('INSERT INTO runbook_versions VALUES (1, $1, now(), $2)', [
    runbookText('before'),
    'test',
  ]);
  expect(await migrate(database.db)).toEqual([MIGRATION]);
  expect(await migrate(database.db)).toEqual([]);
  expect((await findRunbook(database.db))?.runbook.name).toBe('before');
});
