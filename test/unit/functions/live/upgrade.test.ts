import { IncomingMessage } from 'node:http';
import { Socket } from 'node:net';
import { Duplex } from 'node:stream';
import { expect, test } from 'vitest';
import type { Relay, RelayAnswer } from '#functions/live/relay.ts';
import { upgradeHandler } from '#functions/live/upgrade.ts';
import { offeredProtocols } from '#shared/live/frames.ts';

function upgradeRequest(): IncomingMessage {
  const request = new IncomingMessage(new Socket());
  request.url = '/viewer';
  request.headers['sec-websocket-protocol'] = offeredProtocols('ticket', 'x'.repeat(43)).join(', ');
  return request;
}

function relayThat(admit: () => Promise<RelayAnswer>): Relay {
  return { admit, sessionCount: () => 0, close: () => undefined };
}

/** A connection that keeps what is written to it. */
class Line extends Duplex {
  written = '';
  override _read(): void {}
  override _write(chunk: Buffer, _encoding: BufferEncoding, done: () => void): void {
    this.written += chunk.toString();
    done();
  }
}

const reset = new Error('read ECONNRESET');

test('a connection that breaks while its ticket is looked up, or after it is refused, harms nobody else', async () => {
  const line = new Line();
  const looking = Promise.withResolvers<RelayAnswer>();
  const upgrade = upgradeHandler(
    relayThat(() => looking.promise),
    () => undefined,
  );
  const answered = upgrade(upgradeRequest(), line, Buffer.alloc(0));
  // An error without a listener is thrown, and ends the whole process.
  expect(() => line.emit('error', reset)).not.toThrow();
  looking.resolve({ admitted: false, status: 401, reason: 'no such ticket' });
  await answered;
  expect(() => line.emit('error', reset)).not.toThrow();
});

test('what goes wrong on our side is heard, and the connection gets a 503', async () => {
  const line = new Line();
  const heard: unknown[] = [];
  const failure = new Error('the database is gone');
  const upgrade = upgradeHandler(
    relayThat(() => Promise.reject(failure)),
    (error) => heard.push(error),
  );
  await upgrade(upgradeRequest(), line, Buffer.alloc(0));
  expect(heard).toEqual([failure]);
  expect(line.written).toMatch(/^HTTP\/1\.1 503 /);
  expect(line.written).not.toContain('database');
});
