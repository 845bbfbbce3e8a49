// Push, as functions get it, and what a restart must not lose.
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer, type IncomingHttpHeaders, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Message, PubSub } from '@google-cloud/pubsub';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { type PubsubServer, startPubsub } from '#local/cloud/pubsub/server.ts';

let dataDir: string;
let server: PubsubServer;
let client: PubSub;
let endpoint: Server;
let url: string;
let pushed: { headers: IncomingHttpHeaders; body: string }[];
let statuses: number[];

async function start(): Promise<void> {
  server = await startPubsub({
    host: '127.0.0.1',
    dataDir,
    mintIdToken: ({ serviceAccountEmail, audience }) => Promise.resolve(`${serviceAccountEmail}|${audience}`),
  });
  client = new PubSub({ projectId: 'p', apiEndpoint: server.address, emulatorMode: true });
}

async function stop(): Promise<void> {
  await client.close();
  await server.close();
}

beforeEach(async () => {
  dataDir = mkdtempSync(join(tmpdir(), 'lamplighter-pubsub-'));
  pushed = [];
  statuses = [];
  endpoint = createServer((request, response) => {
    let body = '';
    request.on('data', (chunk: Buffer) => {
      body += chunk.toString();
    });
    request.on('end', () => {
      pushed.push({ headers: request.headers, body });
      response.writeHead(statuses.shift() ?? 204).end();
    });
  });
  await new Promise<void>((resolve) => endpoint.listen(0, '127.0.0.1', resolve));
  url = `http://127.0.0.1:${(endpoint.address() as AddressInfo).port}/push`;
  await start();
});
afterEach(async () => {
  await stop();
  endpoint.closeAllConnections();
  await new Promise((resolve) => endpoint.close(resolve));
  rmSync(dataDir, { recursive: true, force: true });
});

async function until(condition: () => boolean): Promise<void> {
  await expect.poll(condition, { interval: 10 }).toBe(true);
}

async function pushTopic() {
  const [topic] = await client.createTopic('reports');
  await topic.createSubscription('reports', {
    pushConfig: {
      pushEndpoint: url,
      oidcToken: { serviceAccountEmail: 'push@p', audience: 'https://report' },
    },
    retryPolicy: { minimumBackoff: { seconds: 0 }, maximumBackoff: { seconds: 1 } },
  });
  return topic;
}

test('posts the wrapped message with an OIDC token, and again after a 500', async () => {
  statuses = [500, 503];
  const topic = await pushTopic();
  const id = await topic.publishMessage({ data: Buffer.from('hello'), attributes: { a: '1' } });
  await until(() => pushed.length === 3);
  expect(pushed[0]?.headers.authorization).toBe('Bearer push@p|https://report');
  for (const { body } of pushed) {
    expect(JSON.parse(body)).toMatchObject({
      subscription: 'projects/p/subscriptions/reports',
      message: { messageId: id, data: Buffer.from('hello').toString('base64'), attributes: { a: '1' } },
    });
  }
});

test('pushes what was published before a restart, to the endpoint that is named after it', async () => {
  statuses = Array.from({ length: 3 }, () => 500);
  const topic = await pushTopic();
  await topic.publishMessage({ data: Buffer.from('kept') });
  await until(() => pushed.length >= 1);
  await stop();
  pushed = [];
  statuses = [];
  await start();
  await until(() => pushed.length === 1);
  expect(JSON.parse(pushed[0]?.body ?? '')).toMatchObject({
    message: { data: Buffer.from('kept').toString('base64') },
  });
});

test('delivers again, after a restart, what was taken and not acknowledged', async () => {
  const [topic] = await client.createTopic('commands');
  await topic.createSubscription('commands');
  const take = (): Promise<Message> =>
    new Promise((resolve) =>
      client
        .subscription('commands')
        .once('message', resolve)
        .on('error', () => undefined),
    );
  await topic.publishMessage({ data: Buffer.from('restart') });
  const first = await take();
  await stop();
  await start();
  const again = await take();
  expect(again.id).toBe(first.id);
  again.ack();
});
