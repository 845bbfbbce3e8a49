import { expect, test } from 'vitest';
import { judgeFreshness } from '#functions/backup/watch.ts';
import { dueBefore } from '#functions/check/run.ts';
import { judgeSilence } from '#functions/host/silence.ts';

const at = (time: string) => new Date(`2026-11-23T${time}Z`);

test.each([
  ['heard just now', '09:59:30', '08:00:00', 'heard'],
  ['at the limit', '09:58:30', '08:00:00', 'silent'],
  ['just below the limit', '09:58:31', '08:00:00', 'heard'],
  ['never heard, enrolled long ago', null, '08:00:00', 'silent'],
  ['silent, but the watcher just came back', '09:00:00', '09:59:00', 'too-early'],
  ['silent since the watcher came back', '09:00:00', '09:58:30', 'silent'],
] as const)('%s', (_name, heard, watchingSince, verdict) => {
  const facts = { enrolledAt: at('07:00:00'), heardAt: heard === null ? null : at(heard) };
  expect(judgeSilence(facts, 90, at(watchingSince), at('10:00:00'))).toBe(verdict);
});

test('a host that was enrolled just now gets its time', () => {
  const facts = { enrolledAt: at('09:59:00'), heardAt: null };
  expect(judgeSilence(facts, 90, at('08:00:00'), at('10:00:00'))).toBe('too-early');
});

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
    at('10:00:00'),
  );
  const said = verdict === 'too-early' ? verdict : verdict.fresh ? 'fresh' : verdict.reason;
  expect(said).toBe(expected);
});

test.each([
  [60, false, 55],
  [60, true, 55],
  [10, false, 9],
  [3600, false, 3595],
  [3600, true, 55],
])('a check of every %i s (troubled: %s) is due after %i s', (everyS, isTroubled, afterS) => {
  const now = at('10:00:00');
  expect((now.getTime() - dueBefore({ everyS }, isTroubled, now).getTime()) / 1000).toBe(afterS);
});
