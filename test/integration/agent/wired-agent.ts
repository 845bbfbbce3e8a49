// The agent's parts and the runner's, wired as their entries wire them, over a real Pub/Sub and a real socket; only
// systemd is missing, so the runner serves its socket in this process.
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type Server, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PubSub } from '@google-cloud/pubsub';
import { v7 as uuidv7 } from 'uuid';
import { vi } from 'vitest';
import { stringify } from 'yaml';
import { connectPubsub } from '#agent/cloud/pubsub.ts';
import { createDispatcher } from '#agent/dispatch/dispatch.ts';
import { createInbox } from '#agent/inbox/inbox.ts';
import { openJournal } from '#agent/journal/journal.ts';
import { startOutbox } from '#agent/outbox/outbox.ts';
import { createReportWriter } from '#agent/outbox/write-report.ts';
import { openLocks } from '#agent/runner/locks.ts';
import type { Runner } from '#agent/runner/run.ts';
import { serveHandover } from '#agent/runner/serve.ts';
import { Report } from '#shared/command/report.ts';
import { keyIdOf, signBytes } from '#shared/signing/dsse.ts';
import { keySigner } from '#shared/signing/key-signer.ts';
import { KEY_ID_ATTRIBUTE, toWire, type WireMessage } from '#shared/signing/message.ts';
import { makeKey } from '#test/fixtures/deps.ts';

const HOST = 'web-1';
const PROJECT = 'test';

export interface World {
  dir: string;
  alertLog: string;
  runner: Runner;
  /** Reports in the order they came, with the role of the key that signed them. */
  received: { report: Report; by: 'agent' | 'runner' | 'nobody' }[];
  troubles: string[];
  startAgent(clock?: () => Date): Agent;
  startRunner(serve?: (socket: Socket) => Promise<void>): Promise<Server>;
  sign(change?: object): Promise<{ id: string; message: WireMessage }>;
  publish(message: WireMessage): Promise<void>;
  listen(): void;
  close(): Promise<void>;
}

export interface Agent {
  running(): string[];
  stop(): Promise<void>;
}

/** A control plane at this Pub/Sub address, and a host's files. */
export async function openWorld(address: string): Promise<World> {
  vi.stubEnv('PUBSUB_EMULATOR_HOST', address);
  const dir = mkdtempSync(join(tmpdir(), 'lamplighter-wired-'));
  const keys = { controlPlane: makeKey(), agent: makeKey(), runner: makeKey() };
  const signer = keySigner(keys.controlPlane.privatePem);
  const names = { commands: `commands-${uuidv7()}`, reports: `reports-${uuidv7()}` };
  const client = new PubSub({ projectId: PROJECT });
  for (const name of Object.values(names)) {
    const [topic] = await client.createTopic(name);
    await topic.createSubscription(name, { retryPolicy: { minimumBackoff: { seconds: 1 } } });
  }
  const paths = {
    policy: join(dir, 'policy.yaml'),
    runs: join(dir, 'runs'),
    socket: join(dir, 'run.sock'),
    alertLog: join(dir, 'alerts.jsonl'),
  };
  mkdirSync(paths.runs);
  const policy = { version: 1, host: HOST, operations: ['alert.append', 'host.vitals'], units: {} };
  writeFileSync(paths.policy, stringify({ ...policy, alertLogs: [paths.alertLog] }));
  const runner: Runner = {
    host: HOST,
    runsDir: paths.runs,
    policyFile: paths.policy,
    pinnedKeys: [keys.controlPlane.publicKey],
    signer: keySigner(keys.runner.privatePem),
    locks: openLocks(join(dir, 'locks.db'), () => false),
    clock: () => new Date(),
    hideSecrets: () => undefined,
    onStuck: () => undefined,
  };
  const received: World['received'] = [];
  const troubles: string[] = [];
  const roles = new Map([
    [keyIdOf(keys.agent.publicKey), 'agent' as const],
    [keyIdOf(keys.runner.publicKey), 'runner' as const],
  ]);
  const listen = (): void => {
    client.subscription(names.reports).on('message', (message) => {
      const report = Report.parse(JSON.parse(message.data.toString()));
      received.push({ report, by: roles.get(message.attributes[KEY_ID_ATTRIBUTE] ?? '') ?? 'nobody' });
      message.ack();
    });
  };
  listen();
  const startAgent = (clock = () => new Date()): Agent => {
    const journal = openJournal(join(dir, 'journal.db'));
    const stop = new AbortController();
    const onTrouble = (text: string): void => void troubles.push(text);
    const reports = createReportWriter(HOST, keySigner(keys.agent.privatePem), clock);
    const connection = connectPubsub({
      projectId: PROJECT,
      subscription: names.commands,
      reportsTopic: names.reports,
    });
    const outbox = startOutbox({
      journal,
      host: HOST,
      publish: (message) => connection.publish(message),
      onTrouble,
    });
    const onQueued = (): void => outbox.wake();
    const dispatcher = createDispatcher({
      host: HOST,
      journal,
      reports,
      clock,
      onQueued,
      onTrouble,
      onEnd: () => undefined,
      runsDir: paths.runs,
      policyFile: paths.policy,
      socketPath: paths.socket,
      signal: stop.signal,
    });
    for (const command of journal.unfinished()) dispatcher.resume(command);
    const take = createInbox({
      host: HOST,
      pinnedKeys: [keys.controlPlane.publicKey],
      maxClockSkewMs: () => 30_000,
      journal,
      reports,
      clock,
      onQueued,
      onCommand: (envelope, signed) => dispatcher.begin(envelope, signed),
    });
    connection.subscribe(take, onTrouble);
    return {
      running: dispatcher.running,
      stop: async () => {
        stop.abort();
        await outbox.close();
        await connection.close();
        journal.close();
      },
    };
  };
  return {
    dir,
    alertLog: paths.alertLog,
    runner,
    received,
    troubles,
    startAgent,
    listen,
    startRunner: (serve = (socket) => serveHandover(socket, 'test', () => runner)) =>
      new Promise((resolve) => {
        const server = createServer((socket) => {
          socket.on('error', () => undefined);
          serve(socket).catch((error: Error) => troubles.push(error.message));
        });
        server.listen(paths.socket, () => resolve(server));
      }),
    sign: async (change = {}) => {
      const id = uuidv7();
      const payload = Buffer.from(JSON.stringify({ ...envelopeOf(id, paths.alertLog), ...change }));
      const signed = await signBytes(signer, 'command', payload);
      const head = { id, source: 'test', type: 'test', time: new Date().toISOString() };
      return { id, message: toWire('command', signed, head) };
    },
    publish: async (message) => {
      await client.topic(names.commands).publishMessage(message);
    },
    close: async () => {
      vi.unstubAllEnvs();
      runner.locks.close();
      await client.close();
      rmSync(dir, { recursive: true, force: true });
    },
  };
}

function envelopeOf(id: string, path: string): object {
  const now = Date.now();
  const alert = {
    id: crypto.randomUUID(),
    at: new Date(now).toISOString(),
    event: 'firing',
    level: 'WARNING',
    severity: 'P3',
    kind: 'check',
    host: HOST,
    summary: 'web does not answer',
  };
  return {
    v: 1,
    id,
    host: HOST,
    operation: 'alert.append',
    params: {},
    spec: { path, alert },
    dryRun: false,
    actor: { kind: 'channel', name: 'log', role: 'responder' },
    runbookVersion: 1,
    issuedAt: new Date(now).toISOString(),
    expiresAt: new Date(now + 60_000).toISOString(),
    timeoutMs: 20_000,
  };
}
