// What a dump holds that a restore can't make, since nothing of the users' runs as a superuser in it: found in the dump's
// list before anything stops, where PostgreSQL itself would refuse it in the middle.

import type { ListingEntry } from '#shared/backup/archive/listing.ts';
import { OperationFailure } from '#shared/command/operation-failure.ts';
import type { OutcomeCode } from '#shared/command/report.ts';
import { isPartitionedKey } from './joins.ts';
import type { RestorePlan, Standing } from './plan.ts';
import { isUnquoted } from './quotes.ts';
import { nameEntry } from './refused.ts';
import { readRoutine } from './routine.ts';

/** What is known of the server and the owners in a dump. */
export interface Powers {
  serverMajor: number;
  standingOf(owner: string): Standing;
  isSuperuser(owner: string): boolean;
  /** Languages in which only a superuser makes functions. */
  untrustedLanguages: ReadonlySet<string>;
  /** Settings that only a superuser changes. */
  superuserSettings: ReadonlySet<string>;
}

/** One thing that can't be restored. */
export interface Limit {
  code: OutcomeCode;
  what: string;
  why: string;
  hint: string;
}

interface Scene extends Powers {
  made: ReadonlyMap<number, ListingEntry>;
}

interface Rule {
  code: OutcomeCode;
  why: string;
  hint: string;
  holds(entry: ListingEntry, scene: Scene): boolean;
}

const GIVE_AWAY =
  'Give it to a superuser (ALTER … OWNER TO) and back up again. For this backup: make its owner CREATEROLE until the restore is done, if you trust that role with the whole server; or let it be left out: lamp restore --keep-going lists what was. Without it, what depends on it is left out too.';
const LEAVE_OUT =
  'To restore all else and be told what was left out: lamp restore --keep-going. Without it, what depends on it is left out too.';

/** Of what the restoring role makes, which is no superuser. */
const OF_RESTORER: readonly Rule[] = [
  {
    code: 'leakproof-function',
    why: 'only a superuser makes LEAKPROOF functions, and its owner is none',
    hint: GIVE_AWAY,
    holds: (entry) => / LEAKPROOF\b/.test(readRoutine(entry)?.attributes ?? ''),
  },
  {
    code: 'untrusted-language',
    why: 'only a superuser makes functions in its language, and its owner is none',
    hint: GIVE_AWAY,
    holds: (entry, { untrustedLanguages }) => untrustedLanguages.has(readRoutine(entry)?.language ?? ''),
  },
  {
    code: 'superuser-object',
    why: 'only a superuser names a planner support function, and its owner is none',
    hint: GIVE_AWAY,
    holds: (entry) => / SUPPORT /.test(readRoutine(entry)?.attributes ?? ''),
  },
  {
    code: 'superuser-object',
    why: 'it changes a setting that only a superuser changes, and its owner is none',
    hint: GIVE_AWAY,
    holds: (entry, { superuserSettings }) =>
      (readRoutine(entry)?.settings ?? []).some((name) => superuserSettings.has(name)),
  },
  {
    code: 'superuser-object',
    why: 'only a superuser makes an aggregate over a state of type internal, and its owner is none',
    hint: GIVE_AWAY,
    holds: ({ kind, definition }) => kind === 'AGGREGATE' && isUnquoted(definition, /\bM?STYPE = internal\b/),
  },
  {
    code: 'superuser-object',
    why: 'a privileged role owns the table that it inherits from or describes, an ordinary role owns it',
    hint: GIVE_AWAY,
    holds: isPartOfTrustedTable,
  },
  {
    code: 'superuser-object',
    why: 'a value in its definition is read by a function of the users, and only a superuser may use its server',
    hint: LEAVE_OUT,
    holds: ({ kind }) => kind === 'FOREIGN TABLE',
  },
  {
    code: 'user-validator',
    why: 'a function of the users would be run as a superuser to validate its options',
    hint: LEAVE_OUT,
    holds: ({ kind }) => kind === 'FOREIGN DATA WRAPPER',
  },
];

function isPartOfTrustedTable({ kind, definition, dependsOn }: ListingEntry, scene: Scene): boolean {
  if (kind !== 'STATISTICS' && !(kind === 'TABLE' && isUnquoted(definition, /\nINHERITS \(/))) return false;
  const needs = dependsOn.map((id) => scene.made.get(id)).filter((part) => part !== undefined);
  return needs.some((part) => part.kind === 'TABLE' && scene.standingOf(part.owner) === 'trusted');
}

const SUPERUSERS_ONLY = new Set(['EVENT TRIGGER', 'FOREIGN DATA WRAPPER']);

/** Of all entries. */
const OF_ANYBODY: readonly Rule[] = [
  {
    code: 'superuser-object',
    why: 'only a superuser can own it, and its owner is none any more',
    hint: LEAVE_OUT,
    holds: ({ kind, owner }, { isSuperuser }) => SUPERUSERS_ONLY.has(kind) && !isSuperuser(owner),
  },
];

/** A partitioned table takes a foreign key without a check of its rows since 18. */
const UNCHECKED_PARTITIONS_SINCE = 18;
const PARTITIONED_KEY: Omit<Limit, 'what'> = {
  code: 'unchecked-partition',
  why: "a privileged role's partitioned table refers to an ordinary role's table: its rows may not be checked by that role's code, and PostgreSQL takes no unchecked foreign key there",
  hint: 'Give both tables one owner (ALTER TABLE … OWNER TO) and back up again, or let the foreign key be left out: lamp restore --keep-going.',
};

/** Finds what can't be restored, in the order of the dump's list within each kind of reason. */
export function findLimits(entries: readonly ListingEntry[], plan: RestorePlan, powers: Powers): Limit[] {
  const scene = { ...powers, made: new Map(entries.map((entry) => [entry.dumpId, entry])) };
  const ofRestorer = [
    ...plan.definitions.filter(({ hand }) => hand === 'restorer').flatMap((pass) => pass.entries),
    ...plan.loads.ordinary,
  ];
  const find = (rules: readonly Rule[], among: readonly ListingEntry[]): Limit[] =>
    among.flatMap((entry) => {
      const rule = rules.find(({ holds }) => holds(entry, scene));
      return rule ? [{ code: rule.code, what: nameEntry(entry), why: rule.why, hint: rule.hint }] : [];
    });
  const keys = powers.serverMajor < UNCHECKED_PARTITIONS_SINCE ? plan.joins.toOrdinary : [];
  return [
    ...find(OF_RESTORER, ofRestorer),
    ...find(OF_ANYBODY, entries),
    ...keys.filter(isPartitionedKey).map((key) => ({ ...PARTITIONED_KEY, what: nameEntry(key) })),
  ];
}

const MAX_TOLD = 5;
const MAX_NOTED = 50;

/**
 * Throws `refused` with the first limit. When the restore is to keep going, the limits are only noted, and PostgreSQL refuses
 * those objects later.
 */
export function refuseLimits(
  limits: readonly Limit[],
  onRefused: 'stop' | 'keep-going',
  note: (text: string) => void,
): void {
  const [first] = limits;
  if (!first) return;
  if (onRefused === 'keep-going') {
    for (const { what, why } of limits.slice(0, MAX_NOTED)) note(`can't be restored: ${what}: ${why}`);
    return;
  }
  const same = limits.filter(({ why }) => why === first.why).map(({ what }) => what);
  const more = same.length > MAX_TOLD ? ` and ${same.length - MAX_TOLD} more` : '';
  const message = `restore ${same.slice(0, MAX_TOLD).join(', ')}${more}: ${first.why}`;
  throw new OperationFailure(first.code, 'refused', message, { hint: first.hint });
}
