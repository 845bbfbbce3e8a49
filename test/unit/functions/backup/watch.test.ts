import { expect, test } from 'vitest';
import { judgeFreshness } from '#functions/backup/watch.ts';

const NOW = new Date('2026-11-23T10:00:00Z');

test.each([
  [undefined, '2026-11-23T00:00:00Z', 'too-early'],
  [undefined, '2026-11-21T00:00:00Z', 'the newest verified backup does not exist, allowed 26 h'],
  ['2026-11-22T08:00:00Z', '2026-11-01T00:00:00Z', 'fresh'],
  ['2026-11-22T07:59:59Z', '2026-11-01T00:00:00Z', 'the newest verified backup is 1 d 2 h old, allowed 26 h'],
])('a backup of %s under a runbook of %s', (taken, applied, expected) => {
  const verdict = judgeFreshness(
    taken === undefined ? undefined : new Date(taken),
    26,
    new Date(applied),
    NOW,
  );
  const said = verdict === 'too-early' ? verdict : verdict.fresh ? 'fresh' : verdict.reason;
  expect(said).toBe(expected);
});
