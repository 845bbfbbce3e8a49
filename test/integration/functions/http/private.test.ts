// A message is acknowledged only when its denial is written down; and no server is left without the front door.

import { createServer } from 'node:http';
import { expect, test } from 'vitest';
import { bodyLimitsOf } from '#functions/http/body-limits.ts';
import { HttpFault } from '#functions/http/fault.ts';
import { openFrontDoor } from '#functions/http/front-door.ts';
import { acknowledgeUnreadable, pushHandler } from '#functions/http/private.ts';
import { createLog } from '#functions/log.ts';
import { serveHandler } from '#test/fixtures/function-server.ts';

const log = createLog(() => undefined);
const depsWith = (isNoted: boolean) => ({
  log,
  denials: { note: () => Promise.resolve(isNoted) },
  addressOf: () => '127.0.0.1',
  verifyCaller: () => Promise.resolve('push@example.com'),
});

test.each([
  [true, 204],
  [false, 503],
])('a push that says nothing, its denial written down: %s, is answered %i', async (isNoted, status) => {
  const server = await serveHandler(pushHandler(depsWith(isNoted), () => Promise.resolve('never')));
  const answer = await fetch(server.url, { method: 'POST', body: '{"a":1}' });
  await server.close();
  expect(answer.status).toBe(status);
});

test.each([
  [true, undefined],
  [false, 503],
])('a body that is too large, its denial written down: %s', async (isNoted, status) => {
  const tooLarge = new HttpFault('invalid-input', 'read body: too large', { status: 413 });
  const req = { headers: {} } as Parameters<ReturnType<typeof acknowledgeUnreadable>>[0];
  const answer = await acknowledgeUnreadable(depsWith(isNoted))(req, tooLarge);
  expect(answer?.status).toBe(status);
});

test('a server without the framework is refused', () => {
  const terms = { limits: bodyLimitsOf('report'), answeringWith: depsWith(true) };
  expect(() =>
    openFrontDoor(
      createServer(() => undefined),
      terms,
    ),
  ).toThrow(/no listener .* is the framework/);
});
