// The demo product's history, as its repository has it: what each release changed, and what is wrong with two of them.

export interface ProductCommit {
  tag: string;
  message: string;
  /** UTC, to the second. */
  date: string;
  /** What a file holds from then on, or what becomes of it. */
  files: Readonly<Record<string, string | ((before: string) => string)>>;
}

export const FIRST_TAG = 'v1.0.0';

const LABEL = `// How an engine is called in lists.
export function labelOf({ name, site }) {
  return \`\${name} (\${site})\`;
}
`;
const LABEL_TEST = `import assert from 'node:assert/strict';
import test from 'node:test';
import { labelOf } from '../label.mjs';

test('a label has the name, then the site', () => {
  assert.equal(labelOf({ name: 'Otto 4', site: 'Dover' }), 'Otto 4 (Dover)');
});
`;
const MIGRATION = `-- Run as a whole, and any number of times.
CREATE TABLE IF NOT EXISTS public.engine_notes (
  engine_id bigint NOT NULL REFERENCES public.engines (id),
  noted_at timestamptz NOT NULL DEFAULT now(),
  note text NOT NULL
);
`;
const MISSING_IMPORT = "import './listen.mjs';\n";

export const HISTORY: readonly [ProductCommit, ...ProductCommit[]] = [
  {
    tag: FIRST_TAG,
    message: 'Engines, their jobs and their files',
    date: '2026-10-05T08:00:00Z',
    files: { 'label.mjs': LABEL, 'test/label.test.mjs': LABEL_TEST },
  },
  {
    tag: 'v1.1.0',
    message: 'A table for notes on engines',
    date: '2026-10-12T08:30:00Z',
    files: { 'migrations/all.sql': MIGRATION },
  },
  {
    // Its test fails.
    tag: 'v1.2.0',
    message: 'Shorter labels',
    date: '2026-10-19T09:10:00Z',
    files: { 'label.mjs': (before) => before.replace(' (${site})', '') },
  },
  {
    // Its tests pass, and it does not start: a module was not committed.
    tag: 'v1.3.0',
    message: 'Labels as before; a module that listens',
    date: '2026-10-26T16:55:00Z',
    files: { 'label.mjs': LABEL, 'web.mjs': (before) => MISSING_IMPORT + before },
  },
  {
    tag: 'v1.4.0',
    message: 'Take the missing module out again',
    date: '2026-10-27T07:20:00Z',
    files: { 'web.mjs': (before) => before.replace(MISSING_IMPORT, '') },
  },
];
