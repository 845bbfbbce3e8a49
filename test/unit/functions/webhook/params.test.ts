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

/** Parameters as an operation parses them: `wait` has a default, and a service can be named by its unit. */
function storedOf(call: Record<string, unknown>): Record<string, unknown> {
  const service = call.service === 'app-web.service' ? 'web' : call.service;
  return { wait: 10, ...call, ...(service === undefined ? {} : { service }) };
}

test.each<[Record<string, unknown>, boolean]>([
  [{ service: 'web', lines: 20, wait: 10 }, true],
  [{ service: 'orchestrator', lines: 20, wait: 10 }, true],
  [{ lines: 20, wait: 10 }, true],
  [{ service: 'web', lines: 20, wait: 11 }, false],
  [{ service: 'web', lines: 21, wait: 10 }, false],
  [{ service: 'nginx', lines: 20, wait: 10 }, false],
  [{ service: 'web', lines: 20, wait: 10, since: '2026-11-23T10:00:00Z' }, false],
])('stored parameters %j still match: %s', (params, isAllowed) => {
  expect(matchWebhookParams(webhook, params, storedOf).ok).toBe(isAllowed);
});

test.each<[string, Webhook]>([
  ['fixed', { ...webhook, params: { lines: 20, service: 'app-web.service' }, choose: {} }],
  ['chosen', { ...webhook, choose: { service: ['orchestrator', 'app-web.service'] } }],
])('a %s name that the runbook knows by another is stored by that, and matches', (_how, byUnit) => {
  expect(matchWebhookParams(byUnit, { service: 'web', lines: 20, wait: 10 }, storedOf)).toEqual({ ok: true });
});
