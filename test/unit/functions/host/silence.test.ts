import { expect, test } from 'vitest';
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
