import { expect, test } from 'vitest';
import { COMMAND_ID, NOW } from '#test/integration/cli/samples.ts';
import { lamp } from '#test/integration/cli/scripted-api.ts';

test('a ticket of an API that is reached over https does not go to a relay in clear', async () => {
  const ticket = {
    ticket: 'A'.repeat(43),
    url: 'ws://relay.example/live',
    commandId: COMMAND_ID,
    expiresAt: NOW,
  };
  const asked: unknown[] = [];
  const fetch: typeof globalThis.fetch = (address) => {
    asked.push(address);
    return Promise.resolve(new Response(JSON.stringify(ticket), { status: 201 }));
  };
  const { code, err } = await lamp(['logs', 'web', '-f'], { url: 'https://lamp.example', fetch });
  expect(code).toBe(3);
  expect(err).toContain("the relay's address ws://relay.example is not encrypted");
  expect(asked).toEqual(['https://lamp.example/v1/live']);
});
