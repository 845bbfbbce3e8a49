// A command to a host that is silent: lamp says so at once, with every verb.
import { afterEach, beforeEach, expect, test } from 'vitest';
import { COMMAND_ID, command, NOW, running } from './samples.ts';
import { lamp, type ScriptedApi, startScriptedApi } from './scripted-api.ts';

const SENT = command({ state: 'sent', result: null, finishedAt: null, host: 'web-1' });
const SILENT = { at: NOW, online: false, lastHeardAt: '2026-11-23T08:26:00.000Z' };
const SAID = 'web-1 was last heard of 4 min ago; the command waits until 08:34 and then expires';

let api: ScriptedApi;
beforeEach(async () => {
  api = await startScriptedApi();
  api.on('POST /v1/commands', () => ({ body: { id: COMMAND_ID, host: 'vm-1' } }));
});
afterEach(() => api.close());

/** Answers the first look so, and every later one with a command that has ended. */
function willAnswer(first: unknown): void {
  let looks = 0;
  api.on(`GET /v1/commands/${COMMAND_ID}`, () => {
    looks += 1;
    return { body: looks === 1 ? first : { command: command({ host: 'web-1' }), events: [], contact: null } };
  });
}

test('is told of with the first look, on the same stream as the progress', async () => {
  willAnswer({ command: SENT, events: [], contact: SILENT });
  const { out } = await lamp(['restart', 'web'], { url: api.url });
  expect(out.indexOf(SAID)).toBeGreaterThan(0);
  expect(out.indexOf(SAID)).toBeLessThan(out.indexOf('done in'));
});

test.each([
  [['restart', 'web', '--json']],
  [['restart', 'web', '--detach']],
  [['restart', 'web', '--detach', '--json']],
  [['logs', 'web']],
])('%j tells it on standard error', async (args) => {
  willAnswer({ command: SENT, events: [], contact: SILENT });
  const { out, err } = await lamp(args, { url: api.url });
  expect(err).toContain(SAID);
  expect(out).not.toContain('last heard of');
  if (args.includes('--json')) expect(JSON.parse(out)).toMatchObject({ command: { id: COMMAND_ID } });
});

test('that was never heard of is told of too', async () => {
  willAnswer({ command: SENT, events: [], contact: { ...SILENT, lastHeardAt: null } });
  expect((await lamp(['restart', 'web'], { url: api.url })).out).toContain('web-1 was never heard of; ');
});

test('a command that nobody could sign says what it waits for', async () => {
  const requested = { ...SENT, state: 'requested' };
  willAnswer({ command: requested, events: [], contact: { ...SILENT, online: true } });
  const { out } = await lamp(['restart', 'web'], { url: api.url });
  expect(out).toContain('it could not be signed yet; the command waits until 08:34');
});

test.each([
  ['is online', { command: SENT, events: [], contact: { ...SILENT, online: true } }],
  ['has taken the command', { command: running(), events: [], contact: null }],
])('nothing is said of a host that %s', async (_name, first) => {
  willAnswer(first);
  expect((await lamp(['restart', 'web'], { url: api.url })).out).not.toContain('last heard of');
});

test('the wait line goes on telling how long the host is silent', async () => {
  const later = { ...SILENT, lastHeardAt: '2026-11-23T08:25:00.000Z' };
  let looks = 0;
  api.on(`GET /v1/commands/${COMMAND_ID}`, async () => {
    looks += 1;
    // Long enough for the line to be drawn.
    if (looks > 1) await new Promise((resolve) => setTimeout(resolve, 250));
    if (looks > 2) return { body: { command: command({ host: 'web-1' }), events: [], contact: null } };
    return { body: { command: SENT, events: [], contact: looks === 1 ? SILENT : later } };
  });
  const { out } = await lamp(['restart', 'web'], { url: api.url, isTty: true });
  expect(out).toContain('waiting for web-1, last heard of 4 min ago');
  expect(out).toContain('waiting for web-1, last heard of 5 min ago');
  // Looked at again soon, so that the line is true.
  expect(api.asked.map(({ query }) => query.get('waitS')).filter(Boolean)).toEqual(['5', '5', '5']);
});

test('a command that is looked at says it as well', async () => {
  willAnswer({ command: SENT, events: [], contact: SILENT });
  expect((await lamp(['commands', COMMAND_ID], { url: api.url })).out).toContain(`sent: ${SAID}`);
});
