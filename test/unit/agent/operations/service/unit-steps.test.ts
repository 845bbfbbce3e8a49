import { expect, test } from 'vitest';
import { judgeAction } from '#agent/operations/service/unit-steps.ts';
import { AT_REST } from '#test/fixtures/unit-moment.ts';

const at = (activeState: string, invocationId = 'new', isMoving = false) => ({
  ...AT_REST,
  activeState,
  invocationId,
  isMoving,
});
const once = (invocationId: string, result = 'success') => ({
  ...at('inactive', invocationId),
  isOneshot: true,
  result,
});

test.each([
  ['restart', 'a new start is up', 'old', at('active'), 'done'],
  ['restart', 'the old one is still up', 'old', at('active', 'old'), 'not-done'],
  ['restart', 'it was never up before and is now', '', at('active'), 'done'],
  ['restart', 'the new start failed', 'old', at('failed'), 'not-done'],
  ['restart', 'it is down', 'old', at('inactive', 'old'), 'not-done'],
  ['restart', 'the new one tries again and again', 'old', at('activating', 'new', true), 'done'],
  ['restart', 'the old one is still being stopped', 'old', at('deactivating', 'old', true), 'cannot-tell'],
  ['restart', 'a oneshot ended well again', 'old', once('new'), 'done'],
  ['restart', 'a oneshot ended badly', 'old', once('new', 'exit-code'), 'not-done'],
  ['start', 'a oneshot ended well', '', once('new'), 'done'],
  ['start', 'a oneshot was not begun', 'old', once('old'), 'not-done'],
  ['start', 'systemd has forgotten the oneshot', 'old', once(''), 'cannot-tell'],
  ['start', 'it reloads', 'old', at('reloading', 'old'), 'done'],
  ['stop', 'it reloads', 'old', at('reloading', 'old'), 'not-done'],
  ['start', 'it is up', 'old', at('active', 'old'), 'done'],
  ['start', 'it is down', 'old', at('failed', 'old'), 'not-done'],
  ['start', 'it is starting', 'old', at('activating', 'new', true), 'cannot-tell'],
  ['stop', 'it is down', 'old', at('inactive', 'old'), 'done'],
  ['stop', 'it fell over while stopping', 'old', at('failed', 'old'), 'done'],
  ['stop', 'it is up', 'old', at('active', 'old'), 'not-done'],
  ['reload', 'it is up', 'old', at('active', 'old'), 'cannot-tell'],
] as const)('after a crash in %s, when %s', (verb, _name, before, now, expected) => {
  expect(judgeAction(verb, before, now)).toBe(expected);
});
