import { expect, test } from 'vitest';
import { describeMoment, standOf } from '#agent/host/unit-stand.ts';
import { AT_REST } from '#test/fixtures/unit-moment.ts';

// ActiveState and SubState of every type of unit (systemctl --state=help), and the stand that they mean.
test.each([
  ['a service that runs', { activeState: 'active', subState: 'running' }, 'up'],
  ['a oneshot that is kept', { activeState: 'active', subState: 'exited' }, 'up'],
  ['a socket', { activeState: 'active', subState: 'listening' }, 'up'],
  ['a timer or path', { activeState: 'active', subState: 'waiting' }, 'up'],
  ['a timer that is over', { activeState: 'active', subState: 'elapsed' }, 'up'],
  ['a mount', { activeState: 'active', subState: 'mounted' }, 'up'],
  ['a device', { activeState: 'active', subState: 'plugged' }, 'up'],
  ['a target or slice', { activeState: 'active', subState: 'active', result: '' }, 'up'],
  ['one that reloads, at rest', { activeState: 'reloading', subState: 'reload' }, 'up'],
  ['one that a job waits for', { activeState: 'active', isMoving: true }, 'moving'],
  ['a mount being checked', { activeState: 'maintenance', subState: 'cleaning' }, 'moving'],
  ['one between two attempts', { activeState: 'activating', subState: 'auto-restart' }, 'moving'],
  ['a oneshot that ended well', { activeState: 'inactive', subState: 'dead', isOneshot: true }, 'done'],
  [
    'a oneshot that a condition skipped',
    { activeState: 'inactive', subState: 'dead', isOneshot: true, isConditionUnmet: true },
    'not-started',
  ],
  [
    'a oneshot that failed',
    { activeState: 'failed', subState: 'failed', isOneshot: true, result: 'exit-code' },
    'failed',
  ],
  ['a oneshot that was stopped', { activeState: 'inactive', isOneshot: true, result: 'signal' }, 'down'],
  ['a service that ended by itself', { activeState: 'inactive', subState: 'dead' }, 'down'],
  ['a service that timed out', { activeState: 'failed', subState: 'failed', result: 'timeout' }, 'failed'],
  ['what systemd says nothing of', { activeState: 'unknown', subState: 'unknown', result: '' }, 'down'],
])('%s: %j is %s', (_name, change, stand) => {
  expect(standOf({ ...AT_REST, ...change })).toBe(stand);
});

test('words say why it is down, and nothing more when there is no reason', () => {
  expect(describeMoment({ ...AT_REST, activeState: 'failed', subState: 'failed', result: 'oom-kill' })).toBe(
    'failed (failed, result oom-kill)',
  );
  expect(describeMoment(AT_REST)).toBe('active (running)');
});
