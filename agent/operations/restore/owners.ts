// Who owns what, as statements: a restore creates objects under roles of its own and gives them to their owners by pure
// changes of the catalogue, which run nothing of the users'.
import type { ListingEntry } from '#shared/backup/archive/listing.ts';
import { quoteName } from '../../host/postgres.ts';

/** Kinds with rows or rules: they stay with the roles of the restore until all is loaded. */
const RELATIONS = new Set(['TABLE', 'VIEW', 'MATERIALIZED VIEW', 'SEQUENCE', 'FOREIGN TABLE']);

/** Kinds whose drop statement names the object as `ALTER … OWNER TO` wants it (pg_backup_archiver.c: _printTocEntry). */
const OWNED = new Set([
  ...RELATIONS,
  'AGGREGATE',
  'COLLATION',
  'CONVERSION',
  'DOMAIN',
  'EVENT TRIGGER',
  'FOREIGN DATA WRAPPER',
  'FUNCTION',
  'OPERATOR',
  'OPERATOR CLASS',
  'OPERATOR FAMILY',
  'PROCEDURAL LANGUAGE',
  'PROCEDURE',
  'PUBLICATION',
  'SERVER',
  'STATISTICS',
  'TEXT SEARCH CONFIGURATION',
  'TEXT SEARCH DICTIONARY',
  'TYPE',
]);

export function isRelation({ kind }: ListingEntry): boolean {
  return RELATIONS.has(kind);
}

export function isLargeObject({ kind }: ListingEntry): boolean {
  return kind === 'BLOB' || kind === 'BLOB METADATA';
}

/** Oids of an entry's large objects; one each until PostgreSQL 16, many in one since 17. */
function largeObjectsOf({ kind, tag, definition }: ListingEntry): string[] {
  const text = kind === 'BLOB' ? tag : definition;
  return text.match(/\d+/g) ?? [];
}

/** What `ALTER … OWNER TO` names for an entry; empty for what has no owner of its own (an index, an identity's sequence). */
function targetsOf(entry: ListingEntry): string[] {
  if (entry.kind === 'SCHEMA') return [`SCHEMA ${quoteName(entry.tag)}`];
  if (isLargeObject(entry)) return largeObjectsOf(entry).map((oid) => `LARGE OBJECT ${oid}`);
  const named = OWNED.has(entry.kind)
    ? /^DROP (.+?)(?: CASCADE)?;\n$/s.exec(entry.dropStatement)?.[1]
    : undefined;
  return named === undefined ? [] : [named];
}

/** Statements that give an entry's objects to a role. */
export function ownerStatements(entry: ListingEntry, role: string): string[] {
  return targetsOf(entry).map((target) => `ALTER ${target} OWNER TO ${quoteName(role)};`);
}

/** A table must change hands before the sequences that belong to it: they follow it. */
export function inOrderOfHandOver(entries: readonly ListingEntry[]): ListingEntry[] {
  return entries.toSorted((a, b) => Number(a.kind === 'SEQUENCE') - Number(b.kind === 'SEQUENCE'));
}
