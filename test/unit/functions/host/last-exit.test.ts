import { expect, test } from 'vitest';
import { lastExitText } from '#functions/host/last-exit.ts';
import type { UnitStatus } from '#shared/command/report.ts';

const NOW = new Date('2026-11-26T10:00:00.000Z');
const UNIT: UnitStatus = {
  unit: 'app-web.service',
  loadState: 'loaded',
  activeState: 'failed',
  subState: 'failed',
  mainPid: 0,
  restarts: 0,
  activeSince: null,
  memoryBytes: null,
};

function ended(
  how: 'exited' | 'killed' | 'dumped',
  status: number,
  result: string,
  agoMs = 7000,
): UnitStatus {
  return { ...UNIT, result, lastExit: { how, status, at: new Date(NOW.getTime() - agoMs).toISOString() } };
}

test.each<[string, UnitStatus | undefined, string | undefined]>([
  ['killed', ended('killed', 9, 'signal'), 'app-web.service was killed, signal 9, 7 s before'],
  [
    'crashed',
    ended('dumped', 11, 'core-dump'),
    'app-web.service crashed, signal 11, core dumped, 7 s before',
  ],
  ['failed', ended('exited', 3, 'exit-code'), 'app-web.service ended with status 3, 7 s before'],
  [
    'out of memory',
    ended('killed', 9, 'oom-kill'),
    'app-web.service was killed, signal 9, out of memory, 7 s before',
  ],
  [
    'on a clock that is a little ahead',
    ended('killed', 9, 'signal', -500),
    'app-web.service was killed, signal 9, 0 s before',
  ],
  ['stopped on purpose', ended('killed', 15, 'success'), undefined],
  ['done', ended('exited', 0, 'success'), undefined],
  ['long ago', ended('killed', 9, 'signal', 601_000), undefined],
  ['in the future', ended('killed', 9, 'signal', -61_000), undefined],
  ['never', { ...UNIT, result: 'success' }, undefined],
  ['nobody knows how', UNIT, undefined],
  ['of a unit that the agent does not tell of', undefined, undefined],
])('ended: %s', (_name, unit, text) => {
  expect(lastExitText(unit, NOW)).toBe(text);
});
