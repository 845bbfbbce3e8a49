import { expect, test } from 'vitest';
import { renderAlerts } from '#cli/alerts.ts';
import { palette } from '#cli/output/style.ts';
import type { AlertView } from '#shared/api/views.ts';
import { NOW, STATUS } from '#test/integration/cli/samples.ts';

const [ALERT] = STATUS.alerts as [AlertView];
const PLAIN = palette({ env: {} }, false);

function render(changes: Partial<AlertView['deliveries'][number]>[], width = 100): string {
  const [first] = ALERT.deliveries as [AlertView['deliveries'][number]];
  const alert = { ...ALERT, deliveries: changes.map((change) => ({ ...first, ...change })) };
  return renderAlerts([alert, alert], { paint: PLAIN, width, nowMs: Date.parse(NOW) });
}

test('says once, below the table, why a recipient was not told', () => {
  const shown = render([
    { channel: 'on-call', state: 'failed', lastError: 'find secret relay: not there\u001b[2J' },
    { channel: 'log', recipient: null, state: 'pending', lastError: 'the host is silent' },
    { channel: 'boss' },
  ]);
  expect(shown.split('\n').slice(3)).toEqual([
    'on-call@example.com failed: find secret relay: not there\\x1b[2J',
    'log pending: the host is silent',
    '',
  ]);
});

test('breaks a long reason into lines of the terminal’s width', () => {
  const shown = render([{ state: 'failed', lastError: 'word '.repeat(30).trim() }], 60);
  for (const line of shown.split('\n')) expect(line.length).toBeLessThanOrEqual(60);
});

test('is silent about a delivery of an earlier event', () => {
  expect(render([{ event: 'resolved', state: 'failed', lastError: 'no route' }])).not.toContain('no route');
});
