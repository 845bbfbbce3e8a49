import { expect, test } from 'vitest';
import { renderCommands } from '#cli/command/commands.ts';
import { palette } from '#cli/output/style.ts';
import { command } from '#test/integration/cli/samples.ts';

test('a secret that was taken out, and an address, are not what it is about', () => {
  const params = { ticket: '[REDACTED]', relayUrl: 'ws://127.0.0.1:8090/v1/live/agent-side', service: 'web' };
  const text = renderCommands([command({ operation: 'service.follow', params })], {
    paint: palette({ env: {} }, false),
    width: 200,
    nowMs: 0,
  });
  expect(text).toMatch(/service\.follow web {2}succeeded/);
});

test('what a command is about comes before its other parameters', () => {
  const params = { lines: 20, since: '2026-11-23T13:00:00Z', service: 'web' };
  const text = renderCommands([command({ operation: 'service.logs', params })], {
    paint: palette({ env: {} }, false),
    width: 200,
    nowMs: Date.parse('2026-11-23T13:05:00Z'),
  });
  expect(text).toContain('service.logs web 2026-11-23T13:00:00Z');
});
