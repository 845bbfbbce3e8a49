import { expect, test } from 'vitest';
import { controlArguments, parseMoment, parseShow, showArguments } from '#agent/host/systemd.ts';
import { UnitStatus } from '#shared/command/report.ts';

// `systemctl show` of systemd 252 for three units: running, dead, unknown.
const SHOW = `Id=app-web.service
MainPID=159
NRestarts=2
LoadState=loaded
ActiveState=active
SubState=running
ActiveEnterTimestampMonotonic=90000000
MemoryCurrent=41943040

Id=app-intake.service
MainPID=0
NRestarts=0
LoadState=loaded
ActiveState=failed
SubState=failed
ActiveEnterTimestampMonotonic=80000000
MemoryCurrent=[not set]

Id=nowhere.service
LoadState=not-found
ActiveState=inactive
SubState=dead
ActiveEnterTimestampMonotonic=0
MemoryCurrent=18446744073709551615
`;
const CLOCKS = { nowMs: Date.parse('2026-11-23T10:00:10.000Z'), monotonicUs: 100_000_000 };

test('reads each unit of one answer', () => {
  const units = parseShow(SHOW, CLOCKS);
  expect(units).toEqual([
    {
      unit: 'app-web.service',
      loadState: 'loaded',
      activeState: 'active',
      subState: 'running',
      mainPid: 159,
      restarts: 2,
      activeSince: '2026-11-23T10:00:00.000Z',
      memoryBytes: 41_943_040,
    },
    expect.objectContaining({ unit: 'app-intake.service', activeSince: null, memoryBytes: null }),
    expect.objectContaining({
      unit: 'nowhere.service',
      loadState: 'not-found',
      mainPid: 0,
      memoryBytes: null,
    }),
  ]);
  expect(UnitStatus.array().safeParse(units).success).toBe(true);
});

test.each(['', '\n\n', 'garbage', 'Failed to connect to bus'])('finds no unit in %j', (text) => {
  expect(parseShow(text, CLOCKS)).toEqual([]);
});

test.each([
  ['at rest', 'LoadState=loaded\nActiveState=active\nInvocationID=abc', 'active', 'abc', false],
  ['with a job', 'LoadState=loaded\nActiveState=active\nInvocationID=abc\nJob=17', 'active', 'abc', true],
  ['starting', 'LoadState=loaded\nActiveState=activating\nInvocationID=abc', 'activating', 'abc', true],
  ['never started', 'LoadState=loaded\nActiveState=inactive\nInvocationID=', 'inactive', '', false],
])('a unit %s', (_name, text, activeState, invocationId, isMoving) => {
  expect(parseMoment(text)).toEqual({ loadState: 'loaded', activeState, invocationId, isMoving });
});

test('units come after `--`, so that none can be an option', () => {
  expect(controlArguments('restart', 'a.service').slice(-3)).toEqual(['restart', '--', 'a.service']);
  expect(showArguments(['a.service', 'b.service']).slice(-3)).toEqual(['--', 'a.service', 'b.service']);
});
