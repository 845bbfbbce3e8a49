// In which passes a dump is restored, and as whom. The rule: nothing of the users' ever runs as a superuser. What needs one
// and evaluates nothing of theirs (extensions, languages, …) is done as one; what a superuser owns is never in reach of a
// role as which the users' code runs.
import type { ListingEntry } from '#shared/backup/archive/listing.ts';
import { isLargeObject, isRelation } from './restore-owners.ts';

/** Who carries a pass out. */
export type Hand = 'superuser' | 'restorer';

export interface Pass {
  hand: Hand;
  entries: ListingEntry[];
  /** True for one whose objects are given away at once, before anything else is made. */
  isSealed?: true;
}

/** What is known of an owner in the cluster that is restored into: `trusted` may, or may become who may, act outside of its own objects. */
export type Standing = 'trusted' | 'ordinary';

/** Apart, so that what runs for an ordinary owner is never run by a role that reaches what a trusted one owns. */
export interface ByStanding {
  ordinary: ListingEntry[];
  trusted: ListingEntry[];
}

export interface RestorePlan {
  schemas: ListingEntry[];
  extensions: ListingEntry[];
  /** Definitions, in the dump's order, by who makes them. */
  definitions: Pass[];
  /** What changes tables that are there already: after all definitions. */
  changes: ByStanding;
  /** Rows, indexes and constraints of ordinary owners' tables, then of trusted owners'. */
  loads: ByStanding;
  /** What joins tables of both. */
  joins: ListingEntry[];
  /** Materialized views that are filled before they change hands, and after. */
  refreshes: ByStanding;
  /** Rights, comments, publications: nothing in them is evaluated. */
  closing: ListingEntry[];
  /** Last of all: from then on they fire. */
  eventTriggers: ListingEntry[];
  /** Not restored: subscriptions. */
  leftOut: ListingEntry[];
}

/** Only a superuser makes these, whoever owns them; none of them evaluates anything. */
const OF_SUPERUSER = new Set([
  'ACCESS METHOD',
  'CAST',
  'FOREIGN DATA WRAPPER',
  'OPERATOR CLASS',
  'OPERATOR FAMILY',
  'PROCEDURAL LANGUAGE',
  'SERVER',
  'SHELL TYPE',
  'TEXT SEARCH PARSER',
  'TEXT SEARCH TEMPLATE',
  'TRANSFORM',
  'USER MAPPING',
]);
const CLOSING = new Set([
  'ACL',
  'COMMENT',
  'DEFAULT ACL',
  'PUBLICATION',
  'PUBLICATION TABLE',
  'PUBLICATION TABLES IN SCHEMA',
  'SECURITY LABEL',
]);
const JOINS = new Set(['FK CONSTRAINT', 'INDEX ATTACH']);
/** Of the program that reads the dump, or of the database as a whole. */
const NOT_RESTORED = new Set([
  'DATABASE',
  'DATABASE PROPERTIES',
  'ENCODING',
  'SEARCHPATH',
  'STATISTICS DATA',
  'STDSTRINGS',
]);
const VIEW_DATA = 'MATERIALIZED VIEW DATA';

/**
 * True when making an object may run a domain's check: PostgreSQL evaluates a literal of a type while it reads a
 * definition, and a user's function may be behind the type. pg_dump writes such a literal with its type, which has a schema
 * since the search path is empty.
 */
function mayEvaluate({ definition }: ListingEntry): boolean {
  return /'::(?:"|\w+\.)/.test(definition);
}

/** A partition's bounds are literals of its key's type, without a cast; a default may be one. */
function isChange(entry: ListingEntry): boolean {
  return entry.kind === 'TABLE ATTACH' || (entry.kind === 'DEFAULT' && mayEvaluate(entry));
}

interface Terms {
  standingOf(owner: string): Standing;
  hasDomainChecks: boolean;
}

function choosePass(entry: ListingEntry, { standingOf, hasDomainChecks }: Terms): Omit<Pass, 'entries'> {
  if (isLargeObject(entry)) return { hand: 'restorer' };
  // A validator of the users' would be called with its options.
  if (entry.kind === 'FOREIGN DATA WRAPPER' && /\bVALIDATOR\b/.test(entry.definition))
    return { hand: 'restorer' };
  if (OF_SUPERUSER.has(entry.kind)) return { hand: 'superuser' };
  if (standingOf(entry.owner) === 'ordinary') return { hand: 'restorer' };
  return hasDomainChecks && mayEvaluate(entry) ? { hand: 'restorer', isSealed: true } : { hand: 'superuser' };
}

function groupDefinitions(entries: readonly ListingEntry[], terms: Terms): Pass[] {
  const passes: Pass[] = [];
  for (const entry of entries) {
    const choice = choosePass(entry, terms);
    const last = passes.at(-1);
    if (last && last.hand === choice.hand && !last.isSealed && !choice.isSealed) last.entries.push(entry);
    else passes.push({ ...choice, entries: [entry] });
  }
  return passes;
}

/** A comment or label on it, too. */
function closeOver(entries: readonly ListingEntry[], kind: (entry: ListingEntry) => boolean): Set<number> {
  const ids = new Set(entries.filter(kind).map(({ dumpId }) => dumpId));
  const isAbout = ({ kind: name, dependsOn }: ListingEntry): boolean =>
    CLOSING.has(name) && dependsOn.some((id) => ids.has(id));
  return new Set([...ids, ...entries.filter(isAbout).map(({ dumpId }) => dumpId)]);
}

function loadOf(entry: ListingEntry, standingOf: Terms['standingOf']): Standing {
  // Large objects stay with the restoring role until the end.
  return entry.kind === 'BLOBS' ? 'ordinary' : standingOf(entry.owner);
}

/** Plans a restore. `standingOf` tells of each owner; without a name it is asked of what no role owns. */
export function planRestore(
  all: readonly ListingEntry[],
  standingOf: (owner: string) => Standing,
): RestorePlan {
  const isSubscription = ({ kind }: ListingEntry): boolean => kind.startsWith('SUBSCRIPTION');
  const omitted = closeOver(all, isSubscription);
  const late = closeOver(all, ({ kind }) => kind === 'EVENT TRIGGER');
  const entries = all.filter(({ dumpId, kind }) => !NOT_RESTORED.has(kind) && !omitted.has(dumpId));
  const hasDomainChecks = entries.some(
    ({ kind, definition }) => kind === 'DOMAIN' && definition.includes('CHECK'),
  );
  const of = (...kinds: string[]) => entries.filter(({ kind }) => kinds.includes(kind));
  const apart = (entry: ListingEntry): boolean =>
    late.has(entry.dumpId) ||
    CLOSING.has(entry.kind) ||
    ['SCHEMA', 'EXTENSION', VIEW_DATA].includes(entry.kind);
  const plain = entries.filter((entry) => !apart(entry));
  const isDefinition = ({ section }: ListingEntry): boolean => section === 'pre-data';
  const loads = plain.filter((entry) => !isDefinition(entry) && !JOINS.has(entry.kind));
  const split = (list: readonly ListingEntry[]): ByStanding => {
    const of = (standing: Standing) => list.filter((entry) => loadOf(entry, standingOf) === standing);
    return { ordinary: of('ordinary'), trusted: of('trusted') };
  };
  return {
    schemas: of('SCHEMA'),
    extensions: of('EXTENSION'),
    definitions: groupDefinitions(
      plain.filter((entry) => isDefinition(entry) && !isChange(entry)),
      { standingOf, hasDomainChecks },
    ),
    changes: split(plain.filter(isChange)),
    loads: split(loads),
    joins: plain.filter(({ kind }) => JOINS.has(kind)),
    refreshes: split(of(VIEW_DATA)),
    closing: entries.filter(({ dumpId, kind }) => CLOSING.has(kind) && !late.has(dumpId)),
    eventTriggers: entries.filter(({ dumpId }) => late.has(dumpId)),
    leftOut: all.filter(isSubscription),
  };
}

/** To whom a definition's objects belong once all definitions are made; `held` and `restorer` are the roles of the restore. */
export function sealOwner(entry: ListingEntry, standing: Standing): 'owner' | 'held' | 'restorer' {
  if (isLargeObject(entry)) return 'restorer';
  if (!isRelation(entry)) return 'owner';
  return standing === 'trusted' ? 'held' : 'restorer';
}
