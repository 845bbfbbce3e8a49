import { afterEach, describe, expect, test } from 'vitest';
import { streamToRelay } from '#agent/live/stream.ts';
import type { LogLine } from '#shared/operations/logs.ts';
import { connect, type Harness, line, startRelay, until } from './live-harness.ts';

let harness: Harness;
afterEach(() => harness.close());

function ignore<T>(_value: T): void {}

/** An agent streaming from a source that the test drives. */
function startAgent(relayUrl: string, ticket: string) {
  const controller = new AbortController();
  const source = { emit: ignore<LogLine>, fail: ignore<string>, isRunning: false };
  const done = streamToRelay({
    relayUrl,
    ticket,
    source: (onLine, onEnd) => {
      Object.assign(source, { emit: onLine, fail: onEnd, isRunning: true });
      return {
        stop: async () => {
          source.isRunning = false;
        },
      };
    },
    signal: controller.signal,
    nowMs: Date.now,
  });
  done.catch(() => undefined);
  return { source, done, stop: () => controller.abort() };
}

async function begin(limits: Parameters<typeof startRelay>[0] = {}) {
  harness = await startRelay(limits);
  const { ticket, agentKey, relayUrl } = await harness.open();
  const viewer = await connect(ticket.url, ticket.ticket);
  const agent = startAgent(relayUrl, agentKey);
  await until(() => agent.source.isRunning, 'the source runs');
  return { viewer, agent, ticket };
}

describe('the agent', () => {
  test('stops its source when the viewer leaves', async () => {
    const { viewer, agent } = await begin();
    agent.source.emit(line('one'));
    await viewer.waitFor('lines');
    viewer.socket.close(1000);
    expect(await agent.done).toEqual({ linesSent: 1 });
    expect(agent.source.isRunning).toBe(false);
  });

  test('stops its source when the viewer vanishes for good', async () => {
    const { viewer, agent } = await begin({ graceMs: 100 });
    viewer.socket.terminate();
    await agent.done;
    expect(agent.source.isRunning).toBe(false);
  });

  test('tells the viewer when the journal fails', async () => {
    const { viewer, agent } = await begin();
    agent.source.emit(line('before'));
    agent.source.fail('no permission');
    expect(await viewer.waitFor('end')).toMatchObject({ reason: 'follow-failed', detail: 'no permission' });
    expect(viewer.messages()).toEqual(['before']);
    await expect(agent.done).rejects.toThrow('follow journal: no permission');
  });

  test('says goodbye when its command is stopped', async () => {
    const { viewer, agent } = await begin();
    agent.stop();
    expect(await viewer.waitFor('end')).toMatchObject({ reason: 'agent-left' });
    await agent.done;
    expect(agent.source.isRunning).toBe(false);
  });

  test('comes back after its connection broke and loses nothing', async () => {
    const { viewer, agent } = await begin();
    agent.source.emit(line('one'));
    await viewer.waitFor('lines');
    harness.dropAgents();
    agent.source.emit(line('two'));
    await viewer.waitFor('peer', ({ present }) => !present);
    agent.source.emit(line('three'));
    await viewer.waitFor('lines', (frame) => frame.lines.some(({ message }) => message === 'three'));
    expect(viewer.messages()).toEqual(['one', 'two', 'three']);
    viewer.socket.close(1000);
    await agent.done;
  });

  test('gives up at once when its ticket is refused, and never starts its source', async () => {
    harness = await startRelay();
    const agent = startAgent(`${harness.url}/agent`, 'A'.repeat(43));
    await expect(agent.done).rejects.toThrow('reach live relay: HTTP 401');
    expect(agent.source.isRunning).toBe(false);
  });
});
