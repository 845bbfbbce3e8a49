import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, describe, expect, test } from 'vitest';
import { connect, type Harness, line, Refused, startRelay, until } from './live-harness.ts';

let harness: Harness;

async function begin(limits: Parameters<typeof startRelay>[0] = {}) {
  harness = await startRelay(limits);
  return harness;
}

afterEach(() => harness.close());

async function pair(limits: Parameters<typeof startRelay>[0] = {}) {
  await begin(limits);
  const { ticket, agentKey, relayUrl } = await harness.open();
  const viewer = await connect(ticket.url, ticket.ticket);
  const agent = await connect(relayUrl, agentKey);
  await viewer.waitFor('peer', (frame) => frame.present);
  return { viewer, agent, ticket, agentKey, relayUrl };
}

async function statusOf(attempt: Promise<unknown>): Promise<number> {
  try {
    await attempt;
    return 101;
  } catch (error) {
    if (error instanceof Refused) return error.status;
    throw error;
  }
}

describe('a ticket', () => {
  test('opens each side once', async () => {
    const { ticket, agentKey, relayUrl } = await pair();
    expect(await statusOf(connect(ticket.url, ticket.ticket))).toBe(401);
    expect(await statusOf(connect(relayUrl, agentKey))).toBe(401);
  });

  test("does not open the other half's side, and is not used up by the attempt", async () => {
    await begin();
    const { ticket, agentKey, relayUrl } = await harness.open();
    expect(await statusOf(connect(relayUrl, ticket.ticket))).toBe(401);
    expect(await statusOf(connect(ticket.url, agentKey))).toBe(401);
    expect(await statusOf(connect(ticket.url, ticket.ticket))).toBe(101);
  });

  test('is refused after a minute', async () => {
    await begin();
    const { ticket } = await harness.open();
    harness.advance(60_001);
    expect(await statusOf(connect(ticket.url, ticket.ticket))).toBe(401);
  });

  test('that nobody made, and no ticket at all, are refused', async () => {
    await begin();
    expect(await statusOf(connect(`${harness.url}/viewer`, 'A'.repeat(43)))).toBe(401);
    expect(await statusOf(connect(`${harness.url}/viewer`, 'A'.repeat(43), 'resume'))).toBe(410);
    expect(await statusOf(connect(`${harness.url}/viewer`, 'short'))).toBe(401);
    expect(await statusOf(connect(`${harness.url}/other`, 'A'.repeat(43)))).toBe(404);
  });

  test('stands in the database only as hashes', async () => {
    await begin();
    const { ticket, agentKey } = await harness.open();
    const { rows } = await harness.database.db.query('SELECT live_tickets::text AS text FROM live_tickets');
    const text = JSON.stringify(rows);
    expect(text).toContain('web');
    expect(text).not.toContain(ticket.ticket);
    expect(text).not.toContain(agentKey);
  });

  test('is taken back when its command was not allowed', async () => {
    await begin();
    const { openLiveTicket } = await import('#functions/live/ticket.ts');
    const deps = {
      db: harness.database.db,
      now: () => new Date(),
      liveUrl: harness.url,
      requestFollow: () => Promise.reject(new Error('not allowed')),
    };
    const actor = { kind: 'token', name: 'ada', role: 'viewer' } as const;
    await expect(openLiveTicket(deps, { service: 'web', lines: 1 }, actor)).rejects.toThrow('not allowed');
    expect((await harness.database.db.query('SELECT 1 FROM live_tickets')).rows).toEqual([]);
  });
});

describe('a session', () => {
  test('carries lines in order from the agent to the viewer', async () => {
    const { viewer, agent } = await pair();
    agent.send({ type: 'lines', from: 1, lines: [line('one'), line('two')] });
    agent.send({ type: 'lines', from: 3, lines: [line('three')] });
    await viewer.waitFor('lines', (frame) => frame.lines.some(({ message }) => message === 'three'));
    expect(viewer.messages()).toEqual(['one', 'two', 'three']);
  });

  test('keeps what an early agent says for the viewer', async () => {
    await begin();
    const { ticket, agentKey, relayUrl } = await harness.open();
    const agent = await connect(relayUrl, agentKey);
    agent.send({ type: 'lines', from: 1, lines: [line('early')] });
    agent.send({ type: 'end', reason: 'agent-left' });
    const viewer = await connect(ticket.url, ticket.ticket);
    await viewer.waitFor('end');
    expect(viewer.messages()).toEqual(['early']);
  });

  test('ends for the agent when the viewer leaves', async () => {
    const { viewer, agent } = await pair();
    viewer.socket.close(1000);
    expect(await agent.waitFor('end')).toMatchObject({ reason: 'viewer-left' });
    expect(await agent.closed).toBe(1000);
    expect(harness.relay.sessionCount()).toBe(0);
    expect(harness.endings).toEqual([{ reason: 'viewer-left', service: 'web' }]);
  });

  test('ends for the viewer when the agent leaves, after its last lines', async () => {
    const { viewer, agent } = await pair();
    agent.send({ type: 'lines', from: 1, lines: [line('last')] });
    agent.socket.close(1000);
    expect(await viewer.waitFor('end')).toMatchObject({ reason: 'agent-left' });
    expect(viewer.messages()).toEqual(['last']);
    expect(await viewer.closed).toBe(1000);
  });

  test('says when the agent never comes', async () => {
    await begin();
    const { ticket } = await harness.open();
    harness.advance(59_000);
    const viewer = await connect(ticket.url, ticket.ticket);
    expect(await viewer.waitFor('end')).toMatchObject({ reason: 'agent-missing' });
  });

  test('ends at its hard limit', async () => {
    // Both have to come within it.
    const { viewer, agent } = await pair({ lifetimeMs: 2000 });
    expect(await viewer.waitFor('end')).toMatchObject({ reason: 'time-limit' });
    expect(await agent.waitFor('end')).toMatchObject({ reason: 'time-limit' });
  });

  test('ends when the agent does not speak the protocol', async () => {
    const { viewer, agent } = await pair();
    agent.socket.send('{"type":"lines","from":0,"lines":[]}');
    expect(await viewer.waitFor('end')).toMatchObject({ reason: 'follow-failed' });
  });
});

describe('after a drop', () => {
  test('a viewer gets what it missed, and nothing twice', async () => {
    const { viewer, agent, ticket } = await pair();
    agent.send({ type: 'lines', from: 1, lines: [line('one')] });
    await viewer.waitFor('lines');
    const { resume } = await viewer.waitFor('welcome');
    viewer.socket.terminate();
    agent.send({ type: 'lines', from: 2, lines: [line('two'), line('three')] });
    const back = await connect(`${ticket.url}?next=2`, resume, 'resume');
    await back.waitFor('lines');
    expect(back.messages()).toEqual(['two', 'three']);
    expect(await back.waitFor('welcome')).toMatchObject({ next: 2 });
  });

  test('an agent learns where to go on, and what it repeats is not shown twice', async () => {
    const { viewer, agent, relayUrl } = await pair();
    agent.send({ type: 'lines', from: 1, lines: [line('one'), line('two')] });
    await viewer.waitFor('lines');
    const { resume } = await agent.waitFor('welcome');
    agent.socket.terminate();
    await viewer.waitFor('peer', (frame) => !frame.present);
    const back = await connect(relayUrl, resume, 'resume');
    expect(await back.waitFor('welcome')).toMatchObject({ next: 3 });
    back.send({ type: 'lines', from: 2, lines: [line('two'), line('three')] });
    await viewer.waitFor('lines', (frame) => frame.from === 3);
    expect(viewer.messages()).toEqual(['one', 'two', 'three']);
  });

  test("one side's resume key does not open the other side", async () => {
    const { agent, ticket } = await pair();
    const { resume } = await agent.waitFor('welcome');
    expect(await statusOf(connect(ticket.url, resume, 'resume'))).toBe(410);
  });

  test('a viewer that does not come back ends the agent', async () => {
    const { viewer, agent } = await pair({ graceMs: 200 });
    viewer.socket.terminate();
    expect(await agent.waitFor('end')).toMatchObject({ reason: 'viewer-missing' });
    await until(() => harness.relay.sessionCount() === 0, 'no session is left');
  });

  test('a silent connection counts as dropped', async () => {
    // The agent has to answer within it.
    const { viewer, agent } = await pair({ pingEveryMs: 2000, graceMs: 100 });
    // Paused, ws answers no ping: as a viewer whose network is gone.
    viewer.socket.pause();
    expect(await agent.waitFor('end')).toMatchObject({ reason: 'viewer-missing' });
    viewer.socket.terminate();
  });
});

describe('a slow viewer', () => {
  test('sees how many lines were dropped, and the newest lines', async () => {
    const { viewer, agent } = await pair({ ringLines: 50, highWaterBytes: 1 });
    viewer.socket.pause();
    const total = 20_000;
    const text = 'x'.repeat(1000);
    for (let from = 1; from <= total; from += 100) {
      const lines = Array.from({ length: 100 }, (_, i) => line(`${from + i} ${text}`));
      agent.send({ type: 'lines', from, lines });
      await sleep(0);
    }
    await until(() => agent.socket.bufferedAmount === 0, 'the agent sent all');
    viewer.socket.resume();
    await viewer.waitFor('lines', (frame) => frame.from + frame.lines.length === total + 1);
    const dropped = viewer.frames.flatMap((frame) => (frame.type === 'dropped' ? [frame.count] : []));
    const droppedCount = dropped.reduce((sum, count) => sum + count, 0);
    expect(droppedCount).toBeGreaterThan(0);
    expect(viewer.messages().length + droppedCount).toBe(total);
  });
});
