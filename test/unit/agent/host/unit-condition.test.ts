import { expect, test } from 'vitest';
import { isSkipped, parseUnmetCondition } from '#agent/host/unit-condition.ts';

// What systemd-analyze 252 prints.
test.each([
  [
    'a.service: ConditionVirtualization=!container failed.\nConditions failed.\n',
    'ConditionVirtualization=!container',
  ],
  [
    'a.service: ConditionPathExists=/a succeeded.\na.service: ConditionUser=x y failed.\n',
    'ConditionUser=x y',
  ],
  ['Conditions succeeded.\n', undefined],
  ['Unit cron.service not found.\n', undefined],
  ["systemd-analyze: unrecognized option '--unit=a.service'", undefined],
])('of %j finds %j', (text, expected) => {
  expect(parseUnmetCondition(text)).toBe(expected);
});

// What systemd 247 writes to the journal at the end of a start.
test.each([
  ['Condition check resulted in a.service being skipped.\n', true],
  ['Finished a.service.\n', false],
  ['', false],
])('%j: skipped is %s', (message, expected) => {
  expect(isSkipped(message)).toBe(expected);
});
