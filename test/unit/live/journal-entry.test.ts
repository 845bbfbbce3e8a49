import { expect, test } from 'vitest';
import { journalFollowArgs, parseJournalEntry } from '#agent/host/journal-follow.ts';

const ENTRY = { __REALTIME_TIMESTAMP: '1795420827123456', PRIORITY: '3', MESSAGE: 'boom' };

test.each([
  [ENTRY, { at: '2026-11-23T08:00:27.123Z', priority: 3, message: 'boom' }],
  [{ ...ENTRY, PRIORITY: undefined }, { priority: 6 }],
  [{ ...ENTRY, MESSAGE: [104, 105, 255] }, { message: 'hi\ufffd' }],
  [{ ...ENTRY, MESSAGE: null }, { message: '[a message too large or unreadable]' }],
])('reads an entry: %j', (entry, expected) => {
  expect(parseJournalEntry(JSON.stringify(entry))).toMatchObject(expected);
});

test.each(['', '{', '[]', '{"MESSAGE":"no time"}', `"${'x'.repeat(1_000_001)}"`])('%.20s is none', (text) => {
  expect(parseJournalEntry(text)).toBeUndefined();
});

test('the unit can not become an option', () => {
  expect(journalFollowArgs('app-web.service', 5)).toContain('--unit=app-web.service');
});
