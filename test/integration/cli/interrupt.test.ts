// Ctrl-C ends every verb at once with 130, during every kind of wait.
import { afterEach, beforeEach, expect, test } from 'vitest';
import { backup } from './samples.ts';
import { lamp, type ScriptedApi, startScriptedApi } from './scripted-api.ts';

let api: ScriptedApi;
beforeEach(async () => {
  api = await startScriptedApi();
  for (const route of [
    'GET /v1/status',
    'GET /v1/commands',
    'GET /v1/alerts',
    'GET /v1/audit',
    'POST /v1/commands',
  ])
    api.on(route, () => 'hang');
  for (const route of ['GET /v1/incidents', 'POST /v1/checks/run', 'POST /v1/live', 'GET /v1/operations'])
    api.on(route, () => 'hang');
  api.on('GET /v1/runbook', () => 'hang');
  api.on('POST /v1/incidents/INC-1/ack', () => 'hang');
  api.on('GET /v1/commands/abcd', () => 'hang');
});
afterEach(() => api.close());

const isAsked = () => api.asked.length > 0;

test.each([
  [['status']],
  [['check']],
  [['check', '--now']],
  [['alerts']],
  [['incidents']],
  [['ack', 'INC-1']],
  [['commands']],
  [['commands', 'abcd', '--wait']],
  [['audit']],
  [['operations']],
  [['runbook', 'show']],
  [['logs', 'web']],
  [['logs', 'web', '-f']],
])('%j', async (args) => {
  const { code, err } = await lamp(args, { url: api.url, interruptWhen: isAsked });
  expect({ code, err }).toEqual({ code: 130, err: 'interrupted\n' });
});

test.each([[['restart', 'web']], [['restart', 'web', '--detach']]])(
  '%j says that it may have been asked for',
  async (args) => {
    const { code, err } = await lamp(args, { url: api.url, interruptWhen: isAsked });
    expect(code).toBe(130);
    expect(err).toBe('the command may have been asked for all the same: lamp commands\ninterrupted\n');
  },
);

test('a verification that is waited for goes on', async () => {
  const pending = backup({ proof: { state: 'pending', at: null, faults: [] } });
  api.on('GET /v1/backups', () => ({ body: [pending] }));
  api.on(`POST /v1/backups/${pending.id}/verify`, () => ({ status: 202, body: pending }));
  const isLookedAt = () => api.asked.map(({ method }) => method).join(' ') === 'GET POST GET';
  const { code, err } = await lamp(['verify'], { url: api.url, interruptWhen: isLookedAt });
  expect(code).toBe(130);
  expect(err).toContain('the verification goes on');
});
