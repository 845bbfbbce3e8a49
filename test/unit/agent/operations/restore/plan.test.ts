import { expect, test } from 'vitest';
import { refuseMixedPartitions, uncheckedStatement } from '#agent/operations/restore/joins.ts';
import { ownerStatements } from '#agent/operations/restore/owners.ts';
import { planRestore, sealOwner } from '#agent/operations/restore/plan.ts';
import type { ListingEntry } from '#shared/backup/archive/listing.ts';

const standingOf = (owner: string) => (owner === 'app' ? 'ordinary' : 'trusted');

let lastId = 0;

function entry(kind: string, more: Partial<ListingEntry> = {}): ListingEntry {
  lastId += 1;
  const section = / DATA$|INDEX|CONSTRAINT/.test(kind) ? 'post-data' : 'pre-data';
  const texts = { tag: 'x', tablespace: '', definition: '', dropStatement: '', copyStatement: '' };
  const base = { dumpId: lastId, hasData: false, section, schema: 'public', owner: 'app' } as const;
  return { ...base, ...texts, kind, dependsOn: [], ...more };
}

const literal = (owner: string) =>
  entry('TABLE', { owner, definition: "p public.pair DEFAULT '(3)'::public.pair" });
const routine = (language: string, owner = 'postgres', more = '') =>
  entry('FUNCTION', {
    owner,
    definition: `CREATE FUNCTION public.v(text[], oid${more}) RETURNS void\n    LANGUAGE ${language} STRICT\n    AS $$x$$;\n`,
  });
const [scripted, compiled] = [routine('plpgsql'), routine('c')];
const sham = routine('plpgsql', 'postgres', " DEFAULT (length('\n    LANGUAGE c\n'::text))::oid");
const given = routine('c', 'app');
const domain = entry('DOMAIN', {
  definition: 'CREATE DOMAIN public.code AS integer\n\tCONSTRAINT c CHECK (public.ok(VALUE))',
});

test.each<[string, ListingEntry[], string[]]>([
  ['an ordinary owner', [entry('TABLE')], ['restorer']],
  ['a trusted owner', [entry('TABLE', { owner: 'postgres' })], ['superuser']],
  ['what only a superuser makes', [entry('OPERATOR CLASS')], ['superuser']],
  [
    "a wrapper whose validator is a user's text",
    [scripted, entry('FOREIGN DATA WRAPPER', { owner: 'postgres', dependsOn: [scripted.dumpId] })],
    ['superuser', 'restorer'],
  ],
  [
    'a wrapper whose validator is code of the server',
    [compiled, entry('FOREIGN DATA WRAPPER', { owner: 'postgres', dependsOn: [compiled.dumpId] })],
    ['superuser'],
  ],
  [
    'a wrapper whose validator only looks as if it were code of the server',
    [sham, entry('FOREIGN DATA WRAPPER', { owner: 'postgres', dependsOn: [sham.dumpId] })],
    ['superuser', 'restorer'],
  ],
  [
    "a wrapper whose validator is an ordinary owner's, whatever its language",
    [
      given,
      entry('TABLE', { owner: 'postgres' }),
      entry('FOREIGN DATA WRAPPER', { owner: 'postgres', dependsOn: [given.dumpId] }),
    ],
    ['restorer', 'superuser', 'restorer'],
  ],
  [
    'a base type, whoever owns it',
    [entry('TYPE', { definition: 'CREATE TYPE public.x (\n    INTERNALLENGTH = 4,\n    INPUT = public.i,' })],
    ['superuser'],
  ],
  [
    'a type that is none',
    [entry('TYPE', { definition: 'CREATE TYPE public.x AS (\n\ta integer\n);' })],
    ['restorer'],
  ],
  [
    'an operator whose estimator has a schema',
    [
      entry('OPERATOR', {
        definition: 'CREATE OPERATOR public.=== (\n    FUNCTION = f,\n    RESTRICT = public.e\n);',
      }),
    ],
    ['superuser'],
  ],
  [
    "an operator whose estimator is PostgreSQL's own",
    [
      entry('OPERATOR', {
        definition: 'CREATE OPERATOR public.=== (\n    FUNCTION = public.f,\n    RESTRICT = eqsel\n);',
      }),
    ],
    ['restorer'],
  ],
  ['large objects', [entry('BLOB', { owner: 'postgres' })], ['restorer']],
  ['a literal behind which there is no check', [literal('postgres')], ['superuser']],
  ['a literal behind which a check may run', [domain, literal('postgres')], ['restorer', 'restorer sealed']],
  ...[
    ['TABLE', 'CREATE TABLE public.x (\n    g integer GENERATED ALWAYS AS (public.f(1)) STORED\n);'],
    ['TABLE', 'CREATE TABLE public.x (\n    id integer\n)\nPARTITION BY RANGE (((id + public.f(1))));'],
    ['AGGREGATE', "CREATE AGGREGATE public.x(integer) (\n    SFUNC = public.f,\n    INITCOND = '5'\n);"],
  ].map(([kind = '', definition = '']): [string, ListingEntry[], string[]] => [
    `a trusted ${definition} that is planned while it is made`,
    [entry(kind, { owner: 'postgres', definition })],
    ['restorer sealed'],
  ]),
  ['a foreign table, whose options may want a superuser', [entry('FOREIGN TABLE')], ['superuser']],
  ...[
    [
      'FOREIGN TABLE',
      'superuser',
      "SERVER far\nOPTIONS (\n    table_name 'PARTITION BY GENERATED ALWAYS AS ('\n);",
    ],
    ['TABLE', 'superuser', 'CREATE TABLE public.x (\n    " GENERATED ALWAYS AS (" integer\n);'],
    ['TABLE', 'superuser', "CREATE TABLE public.x (\n    a text DEFAULT '''::public.t'::text\n);"],
    ['AGGREGATE', 'superuser', 'CREATE AGGREGATE public.x(integer) (\n    SFUNC = public."INITCOND "\n);'],
    ['TYPE', 'restorer', "CREATE TYPE public.x AS ENUM (\n    '\n    INPUT = '\n);"],
    ['OPERATOR', 'restorer', 'CREATE OPERATOR public.=== (\n    FUNCTION = public."JOIN = f."\n);'],
  ].map(([kind = '', hand = '', definition = '']): [string, ListingEntry[], string[]] => [
    `${kind} by what stands outside of quotes in ${definition}`,
    [entry(kind, { owner: hand === 'superuser' ? 'postgres' : 'app', definition })],
    [hand],
  ]),
  [
    'in the order of the dump',
    [entry('TABLE'), entry('VIEW', { owner: 'postgres' }), entry('VIEW')],
    ['restorer', 'superuser', 'restorer'],
  ],
])('who makes a definition: %s', (_name, entries, hands) => {
  const { definitions } = planRestore(entries, standingOf);
  expect(definitions.map(({ hand, isSealed }) => (isSealed ? `${hand} sealed` : hand))).toEqual(hands);
});

test('rows, indexes and changes of ordinary owners go apart from those of trusted ones; what joins them comes after', () => {
  const rows = [entry('TABLE DATA'), entry('TABLE DATA', { owner: 'postgres' })];
  const index = entry('INDEX');
  const attach = entry('TABLE ATTACH', { owner: 'postgres' });
  const plan = planRestore([attach, ...rows, index], standingOf);
  expect(plan.loads).toEqual({ ordinary: [rows[0], index], trusted: [rows[1]] });
  expect(plan.changes).toEqual({ ordinary: [], trusted: [attach] });
});

const joined = entry('TABLE', { tag: 'odd "x' });
const guarded = entry('TABLE', { schema: 'admin', owner: 'postgres' });
const keyTo = (owner: string, target: string) =>
  entry('FK CONSTRAINT', {
    owner,
    definition: `ALTER TABLE ONLY public.y\n    ADD CONSTRAINT " REFERENCES admin.x(" FOREIGN KEY (a, "b)") REFERENCES ${target}(id);\n`,
  });

test.each<[string, ListingEntry, string]>([
  ['between ordinary tables, before anything else is in reach', keyTo('app', 'public."odd ""x"'), 'ordinary'],
  [
    'over a period',
    entry('FK CONSTRAINT', {
      definition:
        'ALTER TABLE ONLY public.y\n    ADD CONSTRAINT k FOREIGN KEY (a, PERIOD b) REFERENCES public."odd ""x"(a, PERIOD b);\n',
    }),
    'ordinary',
  ],
  ['between trusted tables', keyTo('postgres', 'admin.x'), 'trusted'],
  ['from a trusted to an ordinary table, unchecked', keyTo('postgres', 'public."odd ""x"'), 'toOrdinary'],
  ['from an ordinary to a trusted table, with rights on it alone', keyTo('app', 'admin.x'), 'toTrusted'],
])('a foreign key %s', (_name, key, where) => {
  const { joins } = planRestore([joined, guarded, key], standingOf);
  const none = { ordinary: [], trusted: [], toOrdinary: [], toTrusted: { entries: [], tables: [] } };
  const found = where === 'toTrusted' ? { entries: [key], tables: ['admin.x'] } : [key];
  expect(joins).toEqual({ ...none, [where]: found });
});

test("a table's name can not name another table for its foreign key", () => {
  const name = '"ADD CONSTRAINT c FOREIGN KEY (a) REFERENCES admin.x("';
  const key = entry('FK CONSTRAINT', {
    definition: `ALTER TABLE ONLY public.${name}\n    ADD CONSTRAINT k FOREIGN KEY (a) REFERENCES public."odd ""x"(id);\n`,
  });
  const { joins } = planRestore([joined, guarded, key], standingOf);
  expect(joins.ordinary).toEqual([key]);
  expect(joins.toTrusted.tables).toEqual([]);
});

test('a foreign key of a form that is not known is refused', () => {
  const key = entry('FK CONSTRAINT', {
    definition: 'ALTER TABLE public.y ADD FOREIGN KEY IN A FORM OF ITS OWN;',
  });
  expect(() => planRestore([joined, key], standingOf)).toThrow('unknown form');
});

test('an unchecked foreign key says so to PostgreSQL once', () => {
  const key = keyTo('postgres', 'admin.x');
  const unchecked = uncheckedStatement(key);
  expect(unchecked).toBe(key.definition.replace(';\n', ' NOT VALID;'));
  expect(uncheckedStatement({ ...key, definition: unchecked })).toBe(unchecked);
  const loose = key.definition.replace(';\n', ' NOT ENFORCED;\n');
  expect(uncheckedStatement({ ...key, definition: loose })).toBe(loose);
});

test('a partition of an ordinary owner under a parent of a trusted one is refused', () => {
  const attach = (a: ListingEntry, b: ListingEntry) =>
    entry('TABLE ATTACH', { dependsOn: [a.dumpId, b.dumpId] });
  const refuse = (a: ListingEntry, b: ListingEntry) => () =>
    refuseMixedPartitions([a, b, attach(a, b)], standingOf);
  expect(refuse(joined, guarded)).toThrow('an ordinary role the other');
  expect(refuse(joined, entry('TABLE'))).not.toThrow();
});

test("rights on a trusted owner's routines are given with them, an ordinary owner's at the end", () => {
  const closed = entry('FUNCTION', { owner: 'postgres' });
  const own = entry('FUNCTION');
  const right = (tag: string, of: ListingEntry) =>
    entry('ACL', { tag, owner: of.owner, dependsOn: [of.dumpId], section: 'none' });
  const rights = [right('FUNCTION x()', closed), right('FUNCTION x()', own)];
  const ofExtension = entry('ACL', { tag: 'FUNCTION dblink(text)', owner: 'postgres' });
  const plan = planRestore([closed, own, ...rights, ofExtension], standingOf);
  expect(plan.definitions.map((pass) => pass.rights)).toEqual([[rights[0]], undefined]);
  expect(plan.groundRights).toEqual([ofExtension]);
  expect(plan.closing).toEqual([rights[1]]);
});

test('event triggers come last with what is said of them, and subscriptions are left out', () => {
  const trigger = entry('EVENT TRIGGER', { owner: 'postgres' });
  const about = entry('COMMENT', { dependsOn: [trigger.dumpId] });
  const subscription = entry('SUBSCRIPTION', { owner: 'postgres' });
  const rights = entry('ACL');
  const plan = planRestore([rights, trigger, about, subscription], standingOf);
  expect(plan.eventTriggers).toEqual([trigger, about]);
  expect(plan.closing).toEqual([rights]);
  expect(plan.leftOut).toEqual([subscription]);
  expect(plan.definitions).toEqual([]);
});

test.each<[string, ListingEntry, string]>([
  [
    "a superuser's table is out of reach while rows are loaded",
    entry('TABLE', { owner: 'postgres' }),
    'held',
  ],
  ['a function belongs to its owner before any row is loaded', entry('FUNCTION'), 'owner'],
  ['an ordinary table stays with the restoring role', entry('TABLE'), 'restorer'],
])('%s', (_name, definition, to) => {
  expect(sealOwner(definition, standingOf(definition.owner))).toBe(to);
});

test.each<[string, ListingEntry, string[]]>([
  [
    'TABLE',
    entry('TABLE', { dropStatement: 'DROP TABLE public."odd ""name";\n' }),
    ['ALTER TABLE public."odd ""name" OWNER TO "a""b";'],
  ],
  [
    'FUNCTION',
    entry('FUNCTION', { dropStatement: 'DROP FUNCTION public.f(a integer);\n' }),
    ['ALTER FUNCTION public.f(a integer) OWNER TO "a""b";'],
  ],
  [
    'a base type',
    entry('TYPE', { dropStatement: 'DROP TYPE public.x CASCADE;\n' }),
    ['ALTER TYPE public.x OWNER TO "a""b";'],
  ],
  ['SCHEMA', entry('SCHEMA', { tag: 'odd"s' }), ['ALTER SCHEMA "odd""s" OWNER TO "a""b";']],
  [
    'BLOB METADATA',
    entry('BLOB METADATA', { definition: '17\n18\n' }),
    ['ALTER LARGE OBJECT 17 OWNER TO "a""b";', 'ALTER LARGE OBJECT 18 OWNER TO "a""b";'],
  ],
  ['INDEX', entry('INDEX', { dropStatement: 'DROP INDEX public.i;\n' }), []],
  ["an identity's sequence", entry('SEQUENCE'), []],
])('owner statements of %s', (_name, definition, statements) => {
  expect(ownerStatements(definition, 'a"b')).toEqual(statements);
});
