import { expect, test } from 'vitest';
import { nextSteps, writeMail } from '#functions/alert/mail-text.ts';
import { durationText, latestSummaryOf, summaryOf } from '#functions/alert/text.ts';
import { checkFailing } from '#functions/check/conditions.ts';
import type { Alert } from '#functions/store/alerts.ts';
import type { AlertEvent } from '#functions/store/deliveries.ts';

const ALERT: Alert = {
  id: '00000000-0000-4000-8000-000000000001',
  ...checkFailing.on('web-1', { check: 'engines-api', service: 'web' }),
  service: 'web',
  state: 'firing',
  severity: 'P1',
  level: 'CRITICAL',
  reason: 'body does not contain "<b>&"',
  latestReason: null,
  evidence: [],
  firedAt: new Date('2026-11-23T10:00:00Z'),
  resolvedAt: null,
  resolution: null,
  incident: 12,
};
const write = (alert: Alert, event: AlertEvent, note: string | null = null) =>
  writeMail({ alert, event, note, incident: undefined, platform: 'engines' });

test('what a target says is text in the HTML, not markup', () => {
  const { html, text } = write(ALERT, 'firing');
  expect(text).toContain('"<b>&"');
  expect(html).toContain('&quot;&lt;b&gt;&amp;&quot;');
  expect(html).not.toContain('<b>');
});

test('both formats carry the same lines', () => {
  const { html, text } = write({ ...ALERT, reason: 'refused' }, 'firing');
  const words = html
    .replaceAll(/<[^>]*>/g, ' ')
    .replaceAll('&#39;', "'")
    .split(/\s+/)
    .filter((word) => word !== '');
  for (const word of words) expect(text).toContain(word);
});

test('a resolved mail tells how it ended and asks for nothing', () => {
  const ended = {
    ...ALERT,
    resolvedAt: new Date('2026-11-23T11:02:00Z'),
    resolution: 'engines-api is passing again',
  };
  const { subject, text } = write(ended, 'resolved');
  expect(subject).toBe('[resolved] P1 web-1: engines-api is failing');
  expect(text).toMatch(/^engines-api is passing again\n/);
  expect(text).toContain('(1 h 2 min)');
  expect(text).not.toContain('What to do next');
});

test('a mail says why the alert was raised, and once it is over, why it fired last', () => {
  const other = { ...ALERT, reason: 'refused', latestReason: 'status 503, expected 200' };
  expect(write(other, 'firing').text).not.toContain('503');
  const { text } = write({ ...other, resolvedAt: new Date('2026-11-23T11:02:00Z') }, 'resolved');
  expect(text).toMatch(/it was +refused\n +at last +status 503, expected 200\n/);
});

test.each<[string, string | null, string]>([
  ['refused', null, 'refused'],
  ['refused', 'status 503', 'status 503 (at first: refused)'],
  [
    'answered after 5034 ms, allowed 5000 ms',
    'answered after 6001 ms, allowed 5000 ms',
    'answered after 6001 ms, allowed 5000 ms',
  ],
  ['the backup is 1 d 3 h old', 'the backup is 23 h 59 min old', 'the backup is 23 h 59 min old'],
  [
    'command 0b8f3c1e-5d2a-4f6b-9c7d-1e2f3a4b5c6d failed (busy)',
    'command 7a6b5c4d-3e2f-4a1b-8c9d-0e1f2a3b4c5d failed (busy)',
    'command 7a6b5c4d-3e2f-4a1b-8c9d-0e1f2a3b4c5d failed (busy)',
  ],
  ['status 502', 'status 503', 'status 503 (at first: status 502)'],
])('an alert that was raised for "%s" and fires for "%s" reads "%s"', (reason, latestReason, text) => {
  expect(latestSummaryOf({ ...ALERT, reason, latestReason })).toBe(`engines-api is failing: ${text}`);
});

test('a mail to the next recipient says the whole alert, and who could not be told and why', () => {
  const note = 'ann@example.com (channel on-call) could not be told: 550 5.1.1 no such user';
  const { subject, text, html } = write(ALERT, 'undelivered', note);
  expect(subject).toBe('[P1] CRITICAL web-1: engines-api is failing (not everybody could be told)');
  expect(text).toContain(`You get this because ${note}`);
  expect(html).toContain(`You get this because ${note}`);
  expect(text).toContain('What to do next');
  expect(summaryOf(ALERT, 'undelivered', note)).toContain(`(${note})`);
});

test('an alert says to take it on, to look, and then what its condition says', () => {
  const commands = nextSteps(ALERT).map(({ command }) => command);
  expect(commands.slice(0, 2)).toEqual(['lamp ack INC-12', 'lamp status']);
  expect(commands).toContain('lamp restart web');
});

test.each([
  ['of a condition that this version does not know', { condition: 'disk-full' }],
  ['with facts of another form', { facts: {} }],
])('an alert %s has the first steps alone', (_which, other) => {
  expect(nextSteps({ ...ALERT, ...other }).map(({ command }) => command)).toEqual([
    'lamp ack INC-12',
    'lamp status',
  ]);
});

test.each([
  [0, '0 s'],
  [59_499, '59 s'],
  [60_000, '1 min 0 s'],
  [3_600_000, '1 h 0 min'],
  [90_000_000, '1 d 1 h'],
])('%i ms is %s', (ms, text) => {
  expect(durationText(ms)).toBe(text);
});

test('a summary fits its field', () => {
  expect(summaryOf({ ...ALERT, reason: 'x'.repeat(900) }, 'firing')).toHaveLength(500);
});

test('a mail names the cause that the agent knows in its first line', () => {
  const reason = 'status 502, expected 200; app-web.service was killed, signal 9, 7 s before';
  const { text, html } = write({ ...ALERT, reason }, 'firing');
  expect(text.split('\n')[0]).toBe(`engines-api is failing: ${reason}`);
  expect(html).toContain(`<strong>engines-api is failing: ${reason}</strong>`);
});
