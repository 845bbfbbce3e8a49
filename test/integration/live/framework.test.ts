// The relay as it is deployed: under the real functions framework, in a process of its own.
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { connect as connectTcp } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { streamToRelay } from '#agent/live/stream.ts';
import { type FunctionProcess, startFunction } from '#local/cloud/functions/process.ts';
import { findFreePort } from '#local/ports.ts';
import { offeredProtocols } from '#shared/live/frames.ts';
import type { LogLine } from '#shared/operations/logs.ts';
import { createTestDatabase, type TestDatabase } from '#test/fixtures/postgres.ts';
import { connect, line, openTicket } from './live-harness.ts';

let database: TestDatabase;
let relay: FunctionProcess;
let folder: string;

beforeAll(async () => {
  database = await createTestDatabase();
  folder = mkdtempSync(join(tmpdir(), 'lamplighter-live-'));
  relay = await startLive('live.log');
});

async function startLive(logName: string): Promise<FunctionProcess> {
  return await startFunction({
    target: 'live',
    source: join(import.meta.dirname, '../../../functions/index.ts'),
    address: '127.0.0.1',
    port: await findFreePort('127.0.0.1'),
    env: { DATABASE_URL: database.url, GOOGLE_CLOUD_PROJECT: 'test', PATH: process.env['PATH'] ?? '' },
    logFile: join(folder, logName),
  });
}

function upgradeRequest(key: string): string {
  const offered = offeredProtocols('ticket', key).join(', ');
  return `GET /viewer HTTP/1.1\r\nhost: x\r\nconnection: upgrade\r\nupgrade: websocket\r\nsec-websocket-version: 13\r\nsec-websocket-key: AAAAAAAAAAAAAAAAAAAAAA==\r\nsec-websocket-protocol: ${offered}\r\n\r\n`;
}

afterAll(async () => {
  await relay?.close();
  await database?.drop();
  rmSync(folder, { recursive: true });
});

test('the very first request may be an upgrade, and an agent streams to a viewer', async () => {
  const { ticket, agentKey, relayUrl } = await openTicket(database, relay.url.replace('http', 'ws'));
  const viewer = await connect(ticket.url, ticket.ticket);
  let emit: (line: LogLine) => void = () => undefined;
  let stops = 0;
  const streaming = streamToRelay({
    relayUrl,
    ticket: agentKey,
    source: (onLine) => {
      emit = onLine;
      for (let i = 1; i <= 250; i++) onLine(line(`line ${i}`));
      return { stop: async () => void (stops += 1) };
    },
    signal: new AbortController().signal,
    nowMs: Date.now,
  });
  await viewer.waitFor('lines', (frame) => frame.from + frame.lines.length === 251);
  emit(line('x'.repeat(10_000)));
  await viewer.waitFor('lines', (frame) => frame.lines.some(({ message }) => message.startsWith('xxx')));
  const messages = viewer.messages();
  expect(messages.slice(0, 250)).toEqual(Array.from({ length: 250 }, (_, i) => `line ${i + 1}`));
  expect(messages[250]).toMatch(/^x{4056}… \[cut: 5944 more characters\]$/);
  viewer.socket.close(1000);
  expect(await streaming).toEqual({ linesSent: 251 });
  expect(stops).toBe(1);
});

test('a refused side that keeps its half open is let go of, and after many failures is not looked up', async () => {
  const own = await startLive('refusing.log');
  const { hostname, port } = new URL(own.url);
  const statuses = new Set<string>();
  for (let i = 0; i < 40; i++) {
    const socket = connectTcp({ port: Number(port), host: hostname, allowHalfOpen: true });
    socket.on('error', () => undefined);
    let answer = '';
    socket.setEncoding('utf8').on('data', (text: string) => {
      answer += text;
    });
    socket.write(upgradeRequest('x'.repeat(43)));
    await once(socket, 'end');
    statuses.add(answer.slice(9, 12));
    // A peer that is gone answers later packets with a reset.
    const gone = new Promise((resolve) => socket.once('close', resolve));
    const writing = setInterval(() => socket.write('x'), 5);
    await gone;
    clearInterval(writing);
  }
  expect([...statuses]).toEqual(['401', '429']);
  const { rows } = await database.db.query("SELECT noted FROM denials WHERE subject = 'live'");
  expect(rows.length).toBeGreaterThan(0);
  await own.close();
});

test('a plain request is told that this is a relay', async () => {
  const response = await fetch(relay.url);
  expect(response.status).toBe(426);
  expect(await response.json()).toMatchObject({ status: 426, detail: expect.stringContaining('WebSocket') });
});

test('no key is written to the log', async () => {
  const { ticket, agentKey } = await openTicket(database, relay.url.replace('http', 'ws'));
  const viewer = await connect(ticket.url, ticket.ticket);
  const { resume } = await viewer.waitFor('welcome');
  viewer.socket.close(1000);
  await viewer.closed;
  const log = readFileSync(join(folder, 'live.log'), 'utf8');
  for (const key of [ticket.ticket, agentKey, resume]) expect(log).not.toContain(key);
});
