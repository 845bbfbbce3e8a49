import { expect, test } from 'vitest';
import { namedRoles, untrustedLanguages } from '#agent/operations/restore/needs.ts';
import { readRoutine } from '#agent/operations/restore/routine.ts';
import type { ListingEntry } from '#shared/backup/archive/listing.ts';

function entry(kind: string, definition: string, tag = 'x'): ListingEntry {
  const texts = { schema: 'public', owner: 'app', tablespace: '', dropStatement: '', copyStatement: '' };
  return { dumpId: 1, hasData: false, section: 'pre-data', kind, tag, definition, dependsOn: [], ...texts };
}

test.each<[string, string, string[]]>([
  [
    'ACL',
    'REVOKE ALL ON TABLE public.t FROM app;\nGRANT SELECT ON TABLE public.t TO PUBLIC;\nGRANT SELECT(" TO b;") ON TABLE public.t TO "Odd ""role" WITH GRANT OPTION;\n',
    ['app', 'Odd "role'],
  ],
  [
    'DEFAULT ACL',
    'ALTER DEFAULT PRIVILEGES FOR ROLE app IN SCHEMA s GRANT SELECT ON TABLES TO reader;\n',
    ['reader'],
  ],
  [
    'POLICY',
    'CREATE POLICY p ON s.t AS RESTRICTIVE FOR SELECT TO reader, "B C" USING ((a TO b));\n',
    ['reader', 'B C'],
  ],
  ['POLICY', 'CREATE POLICY p ON s.t USING (true);\n', []],
  [
    'USER MAPPING',
    "CREATE USER MAPPING FOR reader SERVER far OPTIONS (\n    password 'x TO y;'\n);\n",
    ['reader'],
  ],
  ['USER MAPPING', 'CREATE USER MAPPING FOR public SERVER far;\n', []],
  ['VIEW', 'CREATE VIEW v AS SELECT 1 TO nobody;\n', []],
  ['ACL', 'GRANT SELECT ON TABLE public."x TO nobody;\n" TO reader;\n', ['reader']],
])('roles that a %s names: %j', (kind, definition, roles) => {
  expect(namedRoles([entry(kind, definition)])).toEqual(roles);
});

test.each<[string, ReturnType<typeof readRoutine>]>([
  [
    "CREATE FUNCTION public.f(a integer DEFAULT 1) RETURNS integer\n    LANGUAGE sql IMMUTABLE LEAKPROOF\n    SET search_path TO 'a', 'b'\n    SET \"My.x\" TO '1'\n    AS $$\n    LANGUAGE c$$;\n",
    { language: 'sql', attributes: ' IMMUTABLE LEAKPROOF', settings: ['search_path', 'my.x'] },
  ],
  [
    'CREATE FUNCTION public.f() RETURNS integer\n    LANGUAGE "My Language"\n    BEGIN ATOMIC\n SELECT 1;\nEND;\n',
    { language: 'My Language', attributes: '', settings: [] },
  ],
  [
    "CREATE FUNCTION public.f(text[], oid DEFAULT (length('\n    LANGUAGE c LEAKPROOF\n'::text))::oid) RETURNS void\n    LANGUAGE plpgsql\n    AS $$x$$;\n",
    { language: 'plpgsql', attributes: '', settings: [] },
  ],
  [
    "CREATE FUNCTION public.f(\"it's\n    LANGUAGE c\" integer, b text DEFAULT E'\\\\''\n    LANGUAGE c') RETURNS integer\n    LANGUAGE sql\n    AS $_$x$_$;\n",
    { language: 'sql', attributes: '', settings: [] },
  ],
  [
    "CREATE FUNCTION public.f() RETURNS integer\n    LANGUAGE plperl TRANSFORM FOR TYPE public.\" LEAKPROOF\" STABLE\n    SET x.y TO '\n    '\n    SET log_min_messages TO 'error'\n    AS $$x$$;\n",
    {
      language: 'plperl',
      attributes: ' TRANSFORM FOR TYPE public."__________" STABLE',
      settings: ['x.y', 'log_min_messages'],
    },
  ],
])('reads the lines before the body of %s', (definition, head) => {
  expect(readRoutine(entry('FUNCTION', definition))).toEqual(head);
  expect(readRoutine(entry('VIEW', definition))).toBeUndefined();
});

test('a language is as the dump or the server has it, and by the name of one that neither has', () => {
  const uses = (language: string) =>
    entry('FUNCTION', `CREATE FUNCTION f() RETURNS integer\n    LANGUAGE ${language}\n    AS $$$$;\n`);
  const found = untrustedLanguages(
    [
      entry('PROCEDURAL LANGUAGE', 'CREATE OR REPLACE PROCEDURAL LANGUAGE mine HANDLER h;\n', 'mine'),
      entry('PROCEDURAL LANGUAGE', 'CREATE OR REPLACE TRUSTED PROCEDURAL LANGUAGE good HANDLER h;\n', 'good'),
      ...['plpython3u', 'plperl', 'mine', 'good', 'sql'].map(uses),
    ],
    new Map([
      ['c', 'untrusted'],
      ['sql', 'trusted'],
      ['good', 'untrusted'],
    ]),
  );
  expect([...found].toSorted()).toEqual(['c', 'mine', 'plpython3u']);
});
