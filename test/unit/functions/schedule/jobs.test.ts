import { expect, test } from 'vitest';
import { dueTime, type ScheduledJob, scheduleText } from '#functions/schedule/jobs.ts';
import { HostName } from '#shared/names.ts';

const JOB: ScheduledJob = {
  name: 'backup',
  host: HostName.parse('web-1'),
  cron: '0 2 * * *',
  timezone: 'Europe/London',
  operation: 'backup.run',
  params: {},
};
const LONG_AGO = new Date('2026-01-01T00:00:00Z');

function due(now: string, last?: string, job = JOB, appliedAt = LONG_AGO): string | undefined {
  const lastRun = last && {
    job: job.name,
    scheduledFor: new Date(last),
    schedule: scheduleText(JOB),
    host: 'web-1',
    startedAt: new Date(last),
    commandId: null,
    outcome: null,
  };
  return dueTime(job, lastRun || undefined, appliedAt, new Date(now))?.toISOString();
}

test.each([
  ['before its time', '2026-11-24T01:59:59Z', '2026-11-23T02:00:00Z', undefined],
  ['at its time', '2026-11-24T02:00:00Z', '2026-11-23T02:00:00Z', '2026-11-24T02:00:00.000Z'],
  ['again after its time', '2026-11-24T02:01:00Z', '2026-11-24T02:00:00Z', undefined],
  ['after a gap of hours', '2026-11-24T11:00:00Z', '2026-11-23T02:00:00Z', '2026-11-24T02:00:00.000Z'],
  ['after a gap of days, once', '2026-11-27T11:00:00Z', '2026-11-23T02:00:00Z', '2026-11-27T02:00:00.000Z'],
  [
    'in summer, by the clock of the host',
    '2026-07-01T01:00:00Z',
    '2026-06-30T01:00:00Z',
    '2026-07-01T01:00:00.000Z',
  ],
])('%s', (_name, now, last, expected) => {
  expect(due(now, last)).toBe(expected);
});

test('a weekly job that was missed for more than a day waits for its next time', () => {
  const weekly = { ...JOB, cron: '0 2 * * 0' };
  expect(due('2026-11-24T12:00:00Z', undefined, weekly)).toBeUndefined();
});

test('the first time is after the runbook was applied', () => {
  const applied = new Date('2026-11-24T09:00:00Z');
  expect(due('2026-11-24T10:00:00Z', undefined, JOB, applied)).toBeUndefined();
  expect(due('2026-11-25T02:00:30Z', undefined, JOB, applied)).toBe('2026-11-25T02:00:00.000Z');
});

test('another time zone is another schedule', () => {
  const moved = { ...JOB, timezone: 'America/New_York' };
  const applied = new Date('2026-11-24T09:00:00Z');
  // 02:00 in New York is 07:00 UTC: before the new schedule was applied.
  expect(due('2026-11-24T10:00:00Z', '2026-11-24T02:00:00Z', moved, applied)).toBeUndefined();
});

/** Runs a tick each minute over the span and gives each due time, as the schedule would start it. */
function startedBetween(cron: string, timezone: string, from: string, to: string): string[] {
  const job = { ...JOB, cron, timezone };
  const started: string[] = [];
  let lastRun: Parameters<typeof dueTime>[1];
  for (let ms = Date.parse(from); ms <= Date.parse(to); ms += 60_000) {
    const now = new Date(ms);
    const scheduledFor = dueTime(job, lastRun, new Date(from), now);
    if (!scheduledFor) continue;
    started.push(scheduledFor.toISOString());
    lastRun = {
      job: job.name,
      scheduledFor,
      schedule: scheduleText(job),
      host: 'web-1',
      startedAt: now,
      commandId: null,
      outcome: null,
    };
  }
  return started;
}

test('a time that the clocks skip runs once, right after the gap', () => {
  // London, 2026-03-29: 01:00 becomes 02:00.
  const started = startedBetween(
    '30 1 * * *',
    'Europe/London',
    '2026-03-28T12:00:00Z',
    '2026-03-30T12:00:00Z',
  );
  expect(started).toHaveLength(2);
  expect(started[0]).toMatch(/^2026-03-29T01:/);
  expect(started[1]).toBe('2026-03-30T00:30:00.000Z');
});

test('a time that comes twice runs once', () => {
  // London, 2026-10-25: 02:00 becomes 01:00.
  const started = startedBetween(
    '30 1 * * *',
    'Europe/London',
    '2026-10-24T12:00:00Z',
    '2026-10-26T12:00:00Z',
  );
  expect(started).toHaveLength(2);
  expect(started[0]).toMatch(/^2026-10-25T0[01]:30:00/);
  expect(started[1]).toBe('2026-10-26T01:30:00.000Z');
});
