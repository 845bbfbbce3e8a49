// Commands and reports over a real Pub/Sub: ours, and Google's emulator where this machine has it.

import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { createConnection, type Server } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { parseHandover } from '#agent/runner/handover.ts';
import { admitHandover, carryOut } from '#agent/runner/run.ts';
import { startPubsub } from '#local/cloud/pubsub/server.ts';
import { waitFor } from '#test/fixtures/agent-host.ts';
import { findGoogleEmulator, startGoogleEmulator } from '#test/fixtures/google-emulator.ts';
import { type Agent, openWorld, type World } from './wired-agent.ts';

const SERVERS = [
  { name: 'our Pub/Sub', isThere: true, start: () => startPubsub({ host: '127.0.0.1' }) },
  {
    name: "Google's emulator",
    isThere: findGoogleEmulator() !== undefined,
    start: () => startGoogleEmulator({ host: '127.0.0.1' }),
  },
];

let world: World;
let agent: Agent | undefined;
let runner: Server | undefined;

const endsOf = (id: string) =>
  world.received.filter(({ report }) => report.type === 'command.finished' && report.commandId === id);
const finished = (id: string) => waitFor(`the end of ${id}`, () => endsOf(id)[0]);
const lines = () => readFileSync(world.alertLog, 'utf8').trim().split('\n');

async function endWorld(): Promise<void> {
  await agent?.stop();
  runner?.close();
  await world.close();
  agent = undefined;
  runner = undefined;
}

describe.each(SERVERS.filter(({ isThere }) => isThere))('$name', ({ start }) => {
  let server: { address: string; close(): Promise<void> };

  beforeAll(async () => {
    server = await start();
  });
  afterAll(async () => {
    await server.close();
  });
  beforeEach(async () => {
    world = await openWorld(server.address);
  });
  afterEach(endWorld);

  test('a command goes through agent and runner, and all its reports come back', async () => {
    runner = await world.startRunner();
    agent = world.startAgent();
    const { id, message } = await world.sign();
    await world.publish(message);
    expect(await finished(id)).toMatchObject({ by: 'runner', report: { state: 'succeeded' } });
    expect(lines()).toHaveLength(1);
    // In any order and perhaps twice: Pub/Sub promises no more.
    const said = () =>
      new Set(world.received.map(({ report }) => ('seq' in report ? report.seq : report.type)));
    await waitFor('four reports', () => (said().size >= 4 ? true : undefined));
    expect(said()).toEqual(new Set(['command.accepted', 1, 2, 'command.finished']));
  });

  test('a read is answered by the agent alone', async () => {
    agent = world.startAgent();
    const { id, message } = await world.sign({ operation: 'host.vitals', spec: {} });
    await world.publish(message);
    expect(await finished(id)).toMatchObject({
      by: 'agent',
      report: { state: 'succeeded', result: { disks: [{ mount: '/' }] } },
    });
  });

  test('a read that the policy withholds is rejected by the agent, which says what root can do', async () => {
    agent = world.startAgent();
    const { id, message } = await world.sign({ operation: 'backup.list', spec: {} });
    await world.publish(message);
    expect(await finished(id)).toMatchObject({
      by: 'agent',
      report: { state: 'rejected', hint: expect.stringContaining('/etc/lamplighter/policy.yaml') },
    });
  });

  test('published three times at once and once more later, it runs once', async () => {
    runner = await world.startRunner();
    agent = world.startAgent();
    const { id, message } = await world.sign();
    await Promise.all([1, 2, 3].map(() => world.publish(message)));
    const { report } = await finished(id);
    await world.publish(message);
    await waitFor('the result again', () => (endsOf(id).length > 1 ? true : undefined));
    expect(endsOf(id).every((end) => end.report.id === report.id)).toBe(true);
    expect(lines()).toHaveLength(1);
  });

  test('many at once each have their end', async () => {
    runner = await world.startRunner();
    agent = world.startAgent();
    const commands = await Promise.all(
      Array.from({ length: 30 }, () => world.sign({ operation: 'host.vitals', spec: {} })),
    );
    await Promise.all(commands.map(({ message }) => world.publish(message)));
    for (const { id } of commands)
      expect(await finished(id)).toMatchObject({ report: { state: 'succeeded' } });
  });
});

describe('the handover', () => {
  let server: { address: string; close(): Promise<void> };

  beforeAll(async () => {
    server = await startPubsub({ host: '127.0.0.1' });
  });
  afterAll(async () => {
    await server.close();
  });
  beforeEach(async () => {
    world = await openWorld(server.address);
  });
  afterEach(endWorld);

  test("whose answer is lost is settled by the runner's record", async () => {
    let handovers = 0;
    runner = await world.startRunner(async (socket) => {
      handovers += 1;
      const [line] = await once(socket, 'data');
      const signed = parseHandover(String(line).trim());
      if (!signed) throw new Error('no handover');
      const { envelope } = admitHandover(world.runner, signed, 'test');
      socket.destroy();
      if (envelope) await carryOut(world.runner, envelope);
    });
    agent = world.startAgent();
    const { id, message } = await world.sign();
    await world.publish(message);
    expect(await finished(id)).toMatchObject({ by: 'runner', report: { state: 'succeeded' } });
    expect(handovers).toBe(1);
    expect(lines()).toHaveLength(1);
  });

  test('waits for a runner that is not there yet', async () => {
    agent = world.startAgent();
    const { id, message } = await world.sign();
    await world.publish(message);
    await waitFor('trouble', () => world.troubles.find((text) => text.includes('hand over to the runner')));
    runner = await world.startRunner();
    expect(await finished(id)).toMatchObject({ report: { state: 'succeeded' } });
  });

  test('to a runner that never comes ends as expired, well after its time', async () => {
    let laterMs = 0;
    agent = world.startAgent(() => new Date(Date.now() + laterMs));
    const { id, message } = await world.sign();
    await world.publish(message);
    await waitFor('trouble', () => world.troubles.find((text) => text.includes('hand over to the runner')));
    laterMs = 61_000;
    await sleep(2500);
    expect(endsOf(id)).toEqual([]);
    laterMs = 76_000;
    expect(await finished(id)).toMatchObject({ by: 'agent', report: { state: 'expired', code: 'expired' } });
  });

  test('is taken up by the next agent when this one stops', async () => {
    agent = world.startAgent();
    const { id, message } = await world.sign();
    await world.publish(message);
    await waitFor('trouble', () => world.troubles.find((text) => text.includes('hand over to the runner')));
    await agent.stop();
    runner = await world.startRunner();
    agent = world.startAgent();
    expect(agent.running()).toEqual([id]);
    expect(await finished(id)).toMatchObject({ report: { state: 'succeeded' } });
    expect(lines()).toHaveLength(1);
  });

  test.each(['hello\n', '{"payload":"!"}\n', '\n'])('of %j is refused', async (text) => {
    runner = await world.startRunner();
    const socket = createConnection(join(world.dir, 'run.sock'));
    socket.write(text);
    const [answer] = await once(socket, 'data');
    expect(JSON.parse(String(answer))).toMatchObject({ accepted: false, reason: 'malformed' });
  });
});

test('a result is kept while Pub/Sub is away and goes out once it is back', async () => {
  const dataDir = mkdtempSync(join(tmpdir(), 'lamplighter-away-'));
  let server = await startPubsub({ host: '127.0.0.1', dataDir });
  const port = Number(server.address.split(':')[1]);
  world = await openWorld(server.address);
  runner = await world.startRunner(async (socket) => {
    // Pub/Sub goes away while the command runs.
    const [line] = await once(socket, 'data');
    await server.close();
    const signed = parseHandover(String(line).trim());
    const { envelope } = signed ? admitHandover(world.runner, signed, 'test') : {};
    socket.end('{"accepted":true}\n');
    if (envelope) await carryOut(world.runner, envelope);
  });
  agent = world.startAgent();
  const { id, message } = await world.sign();
  await world.publish(message);
  await waitFor('the end of the run', () => (agent?.running().length === 0 ? true : undefined));
  await sleep(2000);
  expect(endsOf(id)).toEqual([]);
  server = await startPubsub({ host: '127.0.0.1', port, dataDir });
  world.listen();
  expect(await finished(id)).toMatchObject({ by: 'runner', report: { state: 'succeeded' } });
  await endWorld();
  await server.close();
  rmSync(dataDir, { recursive: true, force: true });
});
