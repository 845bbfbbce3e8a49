import { describe, expect, test } from 'vitest';
import { latestOccurrence, nextOccurrence } from '#shared/schedule/occurrence.ts';

const NIGHTLY = '0 2 * * *';
const at = (text: string) => new Date(text);
const latest = (cron: string, zone: string, after: string, now: string) =>
  latestOccurrence(cron, zone, at(after), at(now))?.toISOString();

describe('the latest time that fell due', () => {
  test.each([
    ['just before', '2026-11-23T01:59:59.999Z', undefined],
    ['to the millisecond', '2026-11-23T02:00:00.000Z', '2026-11-23T02:00:00.000Z'],
    ['a while after', '2026-11-23T09:30:00.000Z', '2026-11-23T02:00:00.000Z'],
    ['days after: the last one only', '2026-11-26T09:30:00.000Z', '2026-11-26T02:00:00.000Z'],
  ])('%s', (_name, now, expected) => {
    expect(latest(NIGHTLY, 'UTC', '2026-11-22T02:00:00.000Z', now)).toBe(expected);
  });

  test('is due once: after itself there is none', () => {
    expect(latest(NIGHTLY, 'UTC', '2026-11-23T02:00:00.000Z', '2026-11-23T12:00:00.000Z')).toBeUndefined();
  });

  test('is in the zone of the host', () => {
    const now = '2026-07-01T12:00:00.000Z';
    expect(latest(NIGHTLY, 'Europe/London', '2026-07-01T00:00:00Z', now)).toBe('2026-07-01T01:00:00.000Z');
    expect(latest(NIGHTLY, 'Asia/Kathmandu', '2026-06-30T12:00:00Z', now)).toBe('2026-06-30T20:15:00.000Z');
  });
});

/** Every occurrence that a tick each minute would start. */
function started(cron: string, zone: string, from: string, hours: number): string[] {
  const found: string[] = [];
  let after = at(from);
  for (let minute = 1; minute <= hours * 60; minute++) {
    const now = new Date(at(from).getTime() + minute * 60_000);
    const due = latestOccurrence(cron, zone, after, now);
    if (!due) continue;
    found.push(due.toISOString());
    after = due;
  }
  return found;
}

describe('daylight saving', () => {
  test.each([
    // Berlin skips 02:00–03:00 on 2026-03-29.
    [
      'a time that the clocks skip runs once, right after the gap',
      '30 2 * * *',
      '2026-03-28T12:00:00Z',
      ['2026-03-29T01:00:00.000Z'],
    ],
    // Berlin has 02:00–03:00 twice on 2026-10-25.
    ['a time that comes twice runs once', '30 2 * * *', '2026-10-24T12:00:00Z', ['2026-10-25T00:30:00.000Z']],
    ['an ordinary night runs once', '30 2 * * *', '2026-06-01T12:00:00Z', ['2026-06-02T00:30:00.000Z']],
  ])('%s', (_name, cron, from, expected) => {
    expect(started(cron, 'Europe/Berlin', from, 24)).toEqual(expected);
  });
});

test('the next time is strictly later', () => {
  const next = (now: string) => nextOccurrence(NIGHTLY, 'UTC', at(now))?.toISOString();
  expect(next('2026-11-23T02:00:00.000Z')).toBe('2026-11-24T02:00:00.000Z');
  expect(next('2026-11-23T01:59:59.999Z')).toBe('2026-11-23T02:00:00.000Z');
});

test('a date that never comes has no time', () => {
  expect(nextOccurrence('0 0 31 2 *', 'UTC', at('2026-11-23T00:00:00Z'))).toBeUndefined();
});
