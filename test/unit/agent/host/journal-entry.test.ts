import { expect, test } from 'vitest';
import { cutMessage, describeTooLong, parseJournalEntry } from '#agent/host/journal-entry.ts';
import { journalArguments, searchLines } from '#agent/host/journald.ts';

const ENTRY = { __REALTIME_TIMESTAMP: '1795420827123456', PRIORITY: '3', MESSAGE: 'boom' };

test.each([
  [ENTRY, { line: { at: '2026-11-23T08:00:27.123Z', priority: 3, message: 'boom' }, goesOn: false }],
  [{ ...ENTRY, PRIORITY: undefined }, { line: { priority: 6 } }],
  [{ ...ENTRY, MESSAGE: [104, 105, 255] }, { line: { message: 'hi\ufffd' } }],
  [{ ...ENTRY, MESSAGE: ['one', [116, 119, 111]] }, { line: { message: 'one\ntwo' } }],
  [{ ...ENTRY, MESSAGE: null }, { line: { message: '[a message that journalctl did not show]' } }],
  [{ ...ENTRY, MESSAGE: 'a\u2028b\u2029c' }, { line: { message: 'a\u2028b\u2029c' } }],
  [{ ...ENTRY, MESSAGE: 'x'.repeat(1_000_000) }, { line: { message: 'x'.repeat(1_000_000) } }],
  [{ ...ENTRY, _LINE_BREAK: 'line-max' }, { goesOn: true }],
])('reads an entry: %.80j', (entry, expected) => {
  expect(parseJournalEntry(JSON.stringify(entry))).toMatchObject(expected);
});

test.each(['', '{', '[]', '{"MESSAGE":"no time"}'])('%s is none', (text) => {
  expect(parseJournalEntry(text)).toBeUndefined();
});

test('an entry too large to read is told with its time, or that of the one before it', () => {
  const before = { at: '2026-11-23T08:00:00.000Z', priority: 6, message: 'before' };
  const message = '[an entry of more than 1000 bytes: too large to show; journalctl shows it on the host]';
  const forged = JSON.stringify({ MESSAGE: '"__REALTIME_TIMESTAMP":"1"' });
  const timed = '{"__REALTIME_TIMESTAMP":"1795420827123456","MESSAGE":"xxx';
  expect([timed, forged].map((text) => describeTooLong(text, 1000, before).line)).toEqual([
    { at: '2026-11-23T08:00:27.123Z', priority: 6, message },
    { at: before.at, priority: 6, message },
  ]);
});

test.each([
  [10, 100, /^x{10}$/],
  [100, 100, /^x{100}$/],
  [4500, 4000, /^x{3960}… \[cut: 540 more characters\]$/],
])('of %i characters, a limit of %i leaves %s', (length, limit, expected) => {
  const cut = cutMessage('x'.repeat(length), limit);
  expect(cut).toMatch(expected);
  expect(cut.length).toBeLessThanOrEqual(limit);
});

test('a cut does not split a character', () => {
  expect(cutMessage('😀'.repeat(100), 101)).toMatch(/^(😀)+… \[cut: 140 more characters\]$/u);
});

test('journalctl is asked for all boots of this machine, for whole messages, and for a unit that is no option', () => {
  const args = journalArguments({ unit: 'app-web.service', lines: 5, isFollowed: true }, 'a19ebd79');
  expect(args).toEqual(
    expect.arrayContaining([
      '--unit=app-web.service',
      '--merge',
      '--all',
      '--follow',
      '_MACHINE_ID=a19ebd79',
    ]),
  );
});

test('of a log that is read, the newest lines between two times are asked for, not the oldest', () => {
  const query = {
    unit: 'app-web.service',
    lines: 5,
    since: '2026-11-23T08:00:00.000Z',
    until: '2026-11-23T08:00:01.500Z',
    priority: 'warning' as const,
  };
  const args = journalArguments(query, '');
  expect(args).toEqual(
    expect.arrayContaining([
      '--reverse',
      '--lines=5',
      '--since=@1795420800.000',
      '--until=@1795420801.500',
      '--priority=4',
    ]),
  );
  expect(args).not.toContain('--follow');
});

test('a text is looked for in more lines than are shown, and never by journalctl, which has them unredacted', () => {
  const args = journalArguments({ unit: 'app-web.service', lines: 5, grep: 'hunter2' }, '');
  expect(args).toContain('--lines=20000');
  expect(args.join(' ')).not.toContain('hunter2');
});

test('lines with a text are found whatever the case, the newest are kept, and a pattern is only text', () => {
  const at = '2026-11-23T08:00:00.000Z';
  const lines = ['Time-out 1', 'ok', 'TIME-OUT 2', 'time.out', 'time-OUT 3'].map((message) => ({
    at,
    priority: 6,
    message,
  }));
  const search = (grep: string) =>
    searchLines(lines, { unit: 'x.service', lines: 2, grep }).map(({ message }) => message);
  expect(search('time-out')).toEqual(['TIME-OUT 2', 'time-OUT 3']);
  expect(search('time.out')).toEqual(['time.out']);
  expect(search('.*')).toEqual([]);
});
