// The client of health checks: ports that fetch refuses, addresses, answers that never end.
import { once } from 'node:events';
import { createServer, type RequestListener } from 'node:http';
import { createServer as createTcpServer, type Server } from 'node:net';
import { afterEach, expect, test } from 'vitest';
import { askStatus } from '#agent/host/http-status.ts';

let server: Server | undefined;
afterEach(() => server?.close());

/** Listens, or says that another program of this machine has the port. */
async function listen(made: Server, port: number, address: string): Promise<number | 'taken'> {
  server = made;
  const failed = once(made, 'error').then(() => 'taken' as const);
  made.listen({ port, host: address, exclusive: true });
  const outcome = await Promise.race([once(made, 'listening'), failed]);
  if (outcome === 'taken') return outcome;
  const bound = made.address();
  return typeof bound === 'object' && bound ? bound.port : 0;
}

const teapot: RequestListener = (_request, response) => response.writeHead(418).end();

test.for([2049, 5060, 6000, 6566, 6667, 10080])(
  'port %i is asked, though fetch refuses it',
  async (port, { skip }) => {
    const bound = await listen(createServer(teapot), port, '127.0.0.1');
    skip(bound === 'taken', `another program has port ${port}`);
    expect(await askStatus({ address: '127.0.0.1', port, path: '/' }, 5000)).toBe(418);
    await expect(fetch(`http://127.0.0.1:${port}/`)).rejects.toThrow();
  },
);

test('a service on ::1 alone is asked by its address, with what the path means', async () => {
  const seen: (string | undefined)[] = [];
  const handler: RequestListener = (request, response) => {
    seen.push(request.url, request.headers.host);
    response.writeHead(302, { location: 'http://127.0.0.1:1/' }).end();
  };
  const port = await listen(createServer(handler), 0, '::1');
  expect(await askStatus({ address: '::1', port: Number(port), path: '/grüße?a=b%20c#top' }, 5000)).toBe(302);
  expect(seen).toEqual(['/gr%C3%BC%C3%9Fe?a=b%20c', `[::1]:${port}`]);
});

test('a body that never ends does not keep the answer', async () => {
  const port = await listen(
    createServer((_request, response) => response.writeHead(200).write('x')),
    0,
    '127.0.0.1',
  );
  expect(await askStatus({ address: '127.0.0.1', port: Number(port), path: '/' }, 5000)).toBe(200);
});

test.each([
  ['says nothing', () => undefined, 'no answer within 200 ms'],
  ['closes', (socket: { end(): void }) => socket.end(), /socket hang up|closed without an answer/],
  ['is no HTTP server', (socket: { end(text: string): void }) => socket.end('220 smtp\r\n'), /Parse Error/],
])('one that %s is no answer', async (_name, onConnection, why) => {
  const port = await listen(createTcpServer(onConnection), 0, '127.0.0.1');
  await expect(askStatus({ address: '127.0.0.1', port: Number(port), path: '/' }, 200)).rejects.toThrow(why);
});
