import { expect, test } from 'vitest';
import { createPatience, endSessionsSql, type Sight } from '#agent/host/lock-watch.ts';

const NOBODY: Sight = { holders: null, prepared: [], heldUp: [] };
const session = (pid: number) => ({
  pid,
  application: 'psql',
  user: 'app',
  state: 'idle in transaction',
  since: '2026-11-26T08:00:00Z',
});

test.each<[string, [atMs: number, sight: Partial<Sight>][], RegExp | undefined]>([
  [
    'nobody waits',
    [
      [0, {}],
      [9000, {}],
    ],
    undefined,
  ],
  [
    'it waits for a moment',
    [
      [0, { holders: [session(7)] }],
      [3999, { holders: [session(7)] }],
    ],
    undefined,
  ],
  [
    'it waits for too long',
    [
      [0, { holders: [session(7)] }],
      [4000, { holders: [session(7)] }],
    ],
    /waited 4000 ms .*: pid 7 "psql" of app, idle in transaction since 2026-11-26T08:00:00Z$/,
  ],
  [
    'it waits, goes on, and waits again',
    [
      [0, { holders: [session(7)] }],
      [2000, {}],
      [4000, { holders: [session(7)] }],
    ],
    undefined,
  ],
  [
    'whoever held it is gone',
    [
      [0, { holders: [] }],
      [4000, { holders: [] }],
    ],
    /a session that is gone/,
  ],
  [
    'a prepared transaction holds it',
    [
      [0, { holders: [], prepared: ['tx-1'] }],
      [4000, { holders: [], prepared: ['tx-1'] }],
    ],
    /prepared transactions: tx-1/,
  ],
  [
    'others take turns in waiting for it',
    [
      [0, { heldUp: [session(1)] }],
      [3000, { heldUp: [session(2)] }],
      [6000, { heldUp: [session(3)] }],
    ],
    undefined,
  ],
  [
    'one of several waits for it too long',
    [
      [0, { heldUp: [session(1)] }],
      [3000, { heldUp: [session(1), session(2)] }],
      [4500, { heldUp: [session(1), session(2)] }],
    ],
    /held up others for 4000 ms .*: pid 1 "psql"[^;]*$/,
  ],
])('gives up or not when %s', (_name, looks, told) => {
  const judge = createPatience(4000);
  const said = looks.map(([atMs, sight]) => judge({ ...NOBODY, ...sight }, atMs));
  expect(said.slice(0, -1).every((text) => text === undefined)).toBe(true);
  if (told) expect(said.at(-1)).toMatch(told);
  else expect(said.at(-1)).toBeUndefined();
});

test('ends no session but those that bear the name', () => {
  expect(endSessionsSql(`it's`)).toContain(`application_name = 'it''s'`);
});
