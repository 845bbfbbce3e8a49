import { expect, test } from 'vitest';
import { chooseWebhookParams, matchWebhookParams } from '#functions/webhook/params.ts';
import type { Webhook } from '#shared/runbook/schema.ts';

const webhook: Webhook = {
  operation: 'service.logs',
  params: { lines: 20 },
  choose: { service: ['web', 'orchestrator'] },
  role: 'responder',
  secret: 'hook',
};

test.each<[Record<string, unknown>, boolean]>([
  [{ service: 'web' }, true],
  [{}, true],
  [{ service: 'nginx' }, false],
  [{ service: ['web'] }, false],
  [{ lines: 5 }, false],
  [{ toString: 'web' }, false],
])('choosing %j: %s', (chosen, isAllowed) => {
  expect(chooseWebhookParams(webhook, chosen).ok).toBe(isAllowed);
});

test('fixed parameters are added', () => {
  expect(chooseWebhookParams(webhook, { service: 'web' })).toEqual({
    ok: true,
    params: { service: 'web', lines: 20 },
  });
});

test.each<[Record<string, unknown>, boolean]>([
  [{ service: 'web', lines: 20 }, true],
  [{ service: 'web', lines: 21 }, false],
  [{ service: 'nginx', lines: 20 }, false],
  [{ service: 'web', since: '2026-11-23T10:00:00Z' }, false],
])('stored parameters %j still match: %s', (params, isAllowed) => {
  expect(matchWebhookParams(webhook, params).ok).toBe(isAllowed);
});
