import { expect, test } from 'vitest';
import { controlArguments, parseMoment } from '#agent/host/systemd.ts';
import { parseShow, showArguments } from '#agent/host/unit-status.ts';
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

const LOADED = 'LoadState=loaded\nInvocationID=abc\n';

test.each([
  ['at rest', 'ActiveState=active\nSubState=running', { activeState: 'active', isMoving: false }],
  ['with a job', 'ActiveState=active\nJob=17', { isMoving: true }],
  ['starting', 'ActiveState=activating\nSubState=start', { isMoving: true }],
  ['between two attempts', 'ActiveState=activating\nSubState=auto-restart', { isMoving: false }],
  ['about to attempt again', 'ActiveState=activating\nSubState=auto-restart\nJob=18', { isMoving: true }],
  ['that runs to its end', 'Type=oneshot\nRemainAfterExit=no', { isOneshot: true }],
  ['kept after its end', 'Type=oneshot\nRemainAfterExit=yes', { isOneshot: false }],
  ['never tried', 'ConditionResult=no\nConditionTimestampMonotonic=0', { isConditionUnmet: false }],
  ['kept from starting', 'ConditionResult=no\nConditionTimestampMonotonic=9', { isConditionUnmet: true }],
  ['of a service', 'TimeoutStartUSec=5min\nTimeoutStopUSec=infinity', { startLimit: '5min', stopLimit: '' }],
  ['of a mount', 'TimeoutUSec=1min 30s', { startLimit: '1min 30s', stopLimit: '1min 30s' }],
  ['of a target', '', { startLimit: '', stopLimit: '', result: '' }],
  ['with a socket', 'TriggeredBy=app.socket', { triggeredBy: 'app.socket' }],
])('a unit %s', (_name, text, expected) => {
  expect(parseMoment(LOADED + text)).toMatchObject({ loadState: 'loaded', invocationId: 'abc', ...expected });
});

test.each([
  ['ExecMainCode=1\nExecMainStatus=3\nExecMainExitTimestampMonotonic=93000000', { how: 'exited', status: 3 }],
  ['ExecMainCode=2\nExecMainStatus=9\nExecMainExitTimestampMonotonic=93000000', { how: 'killed', status: 9 }],
  ['ExecMainCode=0\nExecMainStatus=0\nExecMainExitTimestampMonotonic=0', undefined],
])('tells how the main process ended: %j', (text, expected) => {
  const [status] = parseShow(`Id=a.service\nResult=signal\n${text}`, CLOCKS);
  expect(status).toMatchObject({ result: 'signal' });
  expect(status?.lastExit).toEqual(expected && { ...expected, at: '2026-11-23T10:00:03.000Z' });
});

test('units come after `--`, so that none can be an option', () => {
  expect(controlArguments('restart', 'a.service').slice(-3)).toEqual(['restart', '--', 'a.service']);
  expect(showArguments(['a.service', 'b.service']).slice(-3)).toEqual(['--', 'a.service', 'b.service']);
});
