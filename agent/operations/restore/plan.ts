// In which passes a dump is restored, and as whom. The rule: nothing of the users' ever runs as a superuser. What needs one
// and evaluates nothing of theirs (extensions, languages, …) is done as one; what a superuser owns is never in reach of a
// role as which the users' code runs.
import type { ListingEntry } from '#shared/backup/archive/listing.ts';
import { type Joins, splitJoins } from './joins.ts';
import { isLargeObject, isRelation } from './owners.ts';
import { isUnquoted } from './quotes.ts';
import { readRoutine } from './routine.ts';

/** Who carries a pass out. */
export type Hand = 'superuser' | 'restorer';

export interface Pass {
  hand: Hand;
  entries: ListingEntry[];
  /** True for one whose objects are given away at once, before anything else is made. */
  isSealed?: true;
  /** Rights of the routines and types that it makes: given before any role of the restore does anything else. */
  rights?: ListingEntry[];
}

/**
 * What is known of an owner in the cluster that is restored into: `trusted` may, or may become who may, act outside of its
 * own objects.
 */
export type Standing = 'trusted' | 'ordinary';

/** Apart, so that what runs for an ordinary owner is never run by a role that reaches what a trusted one owns. */
export interface ByStanding {
  ordinary: ListingEntry[];
  trusted: ListingEntry[];
}

export interface RestorePlan {
  schemas: ListingEntry[];
  extensions: ListingEntry[];
  /** Rights on schemas, and on routines and types that an extension or PostgreSQL itself made. */
  groundRights: ListingEntry[];
  /** Definitions, in the dump's order, by who makes them. */
  definitions: Pass[];
  /** What changes tables that are there already: after all definitions. */
  changes: ByStanding;
  /** Rows, indexes and constraints of ordinary owners' tables, then of trusted owners'. */
  loads: ByStanding;
  joins: Joins;
  /** Materialized views that are filled before they change hands, and after. */
  refreshes: ByStanding;
  /** Rights, comments, publications: nothing in them is evaluated. */
  closing: ListingEntry[];
  /** Made last: from then on they fire. */
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
  return isUnquoted(definition, /'::(?:"|\w+\.)/);
}

const WITH_COLUMNS = new Set(['TABLE', 'FOREIGN TABLE']);

/**
 * True when PostgreSQL plans an expression, or reads a value without a cast, while it makes the object: constants are folded
 * then.
 */
function isPlanned({ kind, definition }: ListingEntry): boolean {
  if (kind === 'AGGREGATE') return isUnquoted(definition, /\bM?INITCOND\b/);
  return WITH_COLUMNS.has(kind) && isUnquoted(definition, /\bGENERATED ALWAYS AS \(|\bPARTITION BY\b/);
}

/**
 * A partition's bounds are literals of its key's type, without a cast; a default may be one. A sequence joins its table when
 * both have changed hands: their owner must be the same.
 */
function isChange(entry: ListingEntry): boolean {
  if (entry.kind === 'SEQUENCE OWNED BY') return true;
  return entry.kind === 'TABLE ATTACH' || (entry.kind === 'DEFAULT' && mayEvaluate(entry));
}

interface Grounds {
  standingOf(owner: string): Standing;
  hasChecks: boolean;
  /** Functions that are the users': their text, or an ordinary owner's. */
  ofUsers: ReadonlySet<number>;
}

/** Languages whose functions are code of the server's own files. */
const COMPILED = new Set(['c', 'internal']);

/** An ordinary owner's whatever its definition says of its language: no text of such an owner makes a function harmless. */
function usersFunctions(
  entries: readonly ListingEntry[],
  standingOf: (owner: string) => Standing,
): Set<number> {
  const isOfUsers = (entry: ListingEntry): boolean => {
    const routine = readRoutine(entry);
    if (routine === undefined) return false;
    return standingOf(entry.owner) === 'ordinary' || !COMPILED.has(routine.language);
  };
  return new Set(entries.filter(isOfUsers).map(({ dumpId }) => dumpId));
}

/** Only a superuser makes it, and nothing of it is evaluated. */
function isOfSuperuser({ kind, definition }: ListingEntry): boolean {
  if (kind === 'TYPE') return isUnquoted(definition, /\n {4}INPUT = /);
  // An estimator that is not PostgreSQL's own has a schema: the search path is empty.
  if (kind === 'OPERATOR') return isUnquoted(definition, /\b(?:RESTRICT|JOIN) = [^,\n]*\./);
  return OF_SUPERUSER.has(kind);
}

/** A validator is called when a wrapper is made. A trusted owner's in C, or an extension's, a superuser put on the server. */
function hasUsersValidator({ kind, dependsOn }: ListingEntry, ofUsers: ReadonlySet<number>): boolean {
  return kind === 'FOREIGN DATA WRAPPER' && dependsOn.some((id) => ofUsers.has(id));
}

function choosePass(entry: ListingEntry, { standingOf, hasChecks, ofUsers }: Grounds): Omit<Pass, 'entries'> {
  if (isLargeObject(entry)) return { hand: 'restorer' };
  // PostgreSQL refuses it to this role.
  if (hasUsersValidator(entry, ofUsers)) return { hand: 'restorer' };
  if (isOfSuperuser(entry)) return { hand: 'superuser' };
  const isEvaluated = isPlanned(entry) || (hasChecks && mayEvaluate(entry));
  // It needs rights on its server, and for its options, that only a superuser has in any case.
  if (entry.kind === 'FOREIGN TABLE' && !isEvaluated) return { hand: 'superuser' };
  if (standingOf(entry.owner) === 'ordinary') return { hand: 'restorer' };
  return isEvaluated ? { hand: 'restorer', isSealed: true } : { hand: 'superuser' };
}

function groupDefinitions(entries: readonly ListingEntry[], grounds: Grounds): Pass[] {
  const passes: Pass[] = [];
  for (const entry of entries) {
    const choice = choosePass(entry, grounds);
    const last = passes.at(-1);
    if (last && last.hand === choice.hand && !last.isSealed && !choice.isSealed) last.entries.push(entry);
    else passes.push({ ...choice, entries: [entry] });
  }
  return passes;
}

const EARLY_RIGHTS = /^(?:SCHEMA|FUNCTION|PROCEDURE|AGGREGATE|TYPE|DOMAIN) /;

/**
 * Rights that keep a trusted owner's routines and types closed, by what they are about; the rest closes the restore. An
 * ordinary owner's stay open to the restoring role until then: its own tables call them.
 */
function earlyRights(entries: readonly ListingEntry[], { standingOf }: Grounds) {
  const made = new Map(entries.map((entry) => [entry.dumpId, entry]));
  const early = entries.filter(
    ({ kind, tag, owner }) =>
      kind === 'ACL' &&
      EARLY_RIGHTS.test(tag) &&
      (tag.startsWith('SCHEMA ') || standingOf(owner) === 'trusted'),
  );
  const targetOf = ({ dependsOn }: ListingEntry): number | undefined =>
    dependsOn.find(
      (id) =>
        made.get(id)?.section === 'pre-data' && !['SCHEMA', 'EXTENSION'].includes(made.get(id)?.kind ?? ''),
    );
  return {
    early: new Set(early),
    ground: early.filter((right) => targetOf(right) === undefined),
    withRights: (pass: Pass): Pass => {
      const ids = new Set(pass.entries.map(({ dumpId }) => dumpId));
      const rights = early.filter((right) => ids.has(targetOf(right) ?? -1));
      return rights.length === 0 ? pass : { ...pass, rights };
    },
  };
}

/** A comment or label on it, too. */
function closeOver(entries: readonly ListingEntry[], kind: (entry: ListingEntry) => boolean): Set<number> {
  const ids = new Set(entries.filter(kind).map(({ dumpId }) => dumpId));
  const isAbout = ({ kind: name, dependsOn }: ListingEntry): boolean =>
    CLOSING.has(name) && dependsOn.some((id) => ids.has(id));
  return new Set([...ids, ...entries.filter(isAbout).map(({ dumpId }) => dumpId)]);
}

function loadOf(entry: ListingEntry, standingOf: Grounds['standingOf']): Standing {
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
  const hasChecks = entries.some(
    // Reading a range compares its bounds, by a function that may be a user's.
    ({ kind, definition }) =>
      (kind === 'DOMAIN' && isUnquoted(definition, /CHECK/)) ||
      (kind === 'TYPE' && isUnquoted(definition, /RANGE/)),
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
  const grounds = { standingOf, hasChecks, ofUsers: usersFunctions(entries, standingOf) };
  const rights = earlyRights(entries, grounds);
  return {
    schemas: of('SCHEMA'),
    extensions: of('EXTENSION'),
    groundRights: rights.ground,
    definitions: groupDefinitions(
      plain.filter((entry) => isDefinition(entry) && !isChange(entry)),
      grounds,
    ).map(rights.withRights),
    changes: split(plain.filter(isChange)),
    loads: split(loads),
    joins: splitJoins(plain, standingOf),
    refreshes: split(of(VIEW_DATA)),
    closing: entries.filter(
      (entry) => CLOSING.has(entry.kind) && !late.has(entry.dumpId) && !rights.early.has(entry),
    ),
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
