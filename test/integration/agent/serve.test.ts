// The runner's end of its socket, against a peer that does not keep to the protocol.
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { connect, createServer, type Server, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { MAX_HANDOVER_BYTES } from '#agent/runner/handover.ts';
import { serveHandover } from '#agent/runner/serve.ts';

let dir: string;
let server: Server;
let peer: Socket;
let served: Socket;

beforeEach(async () => {
  dir = mkdtempSync(join(tmpdir(), 'lamplighter-serve-'));
  server = createServer({ allowHalfOpen: true });
  server.listen(join(dir, 'run.sock'));
  await once(server, 'listening');
  const connected = once(server, 'connection');
  peer = connect(join(dir, 'run.sock')).on('error', () => undefined);
  [served] = (await connected) as [Socket];
});
afterEach(() => {
  peer.destroy();
  served.destroy();
  server.close();
  rmSync(dir, { recursive: true, force: true });
});

const neverOpened = (): never => {
  throw new Error('the runner was opened');
};

test.each([
  ['too much without an end', 'x'.repeat(MAX_HANDOVER_BYTES + 1), 'the handover is too large'],
  ['a line that is no handover', 'hello\n', undefined],
])('%s: the connection is closed though the peer stays, and no more is read', async (_case, sent, fault) => {
  const closed = once(served, 'close');
  const serving = serveHandover(served, 'test', neverOpened);
  peer.write(sent);
  // The peer keeps sending: the agent must not store it.
  const chatter = setInterval(() => peer.write('y'.repeat(65_536)), 5);
  try {
    if (fault === undefined) await serving;
    else await expect(serving).rejects.toThrow(fault);
    await closed;
    expect(served.listenerCount('data')).toBe(0);
  } finally {
    clearInterval(chatter);
  }
});
