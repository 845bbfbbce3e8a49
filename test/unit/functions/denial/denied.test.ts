import { IncomingMessage } from 'node:http';
import { isIPv6, Socket } from 'node:net';
import { beforeAll, expect, test, vi } from 'vitest';

vi.mock('node:net', { spy: true });

let addressOf: typeof import('#functions/denial/denied.ts').addressOf;
beforeAll(async () => {
  // Another file may have loaded it with the real node:net.
  vi.resetModules();
  ({ addressOf } = await import('#functions/denial/denied.ts'));
});

function requestFrom(remoteAddress: string | undefined, forwarded?: string): IncomingMessage {
  const socket = Object.defineProperty(new Socket(), 'remoteAddress', { value: remoteAddress });
  const request = new IncomingMessage(socket);
  if (forwarded !== undefined) request.headers['x-forwarded-for'] = forwarded;
  return request;
}

test.each([
  ['203.0.113.7', '203.0.113.7'],
  ['::ffff:203.0.113.7', '203.0.113.7'],
  ['2001:db8:1:2:3:4:5:6', '2001:db8:1:2::/64'],
  ['2001:db8::1', '2001:db8::/64'],
  ['::1', '::/64'],
  ['no:address', 'no:address'],
  ['x'.repeat(100), 'x'.repeat(64)],
  [undefined, 'unknown'],
])('a request from %s counts for %s', (remoteAddress, address) => {
  expect(addressOf(requestFrom(remoteAddress), false)).toBe(address);
});

test('behind the front end the last entry of x-forwarded-for counts, elsewhere none', () => {
  const request = requestFrom('192.0.2.1', '198.51.100.1, 2001:db8:1:2:3::9');
  expect(addressOf(request, true)).toBe('2001:db8:1:2::/64');
  expect(addressOf(request, false)).toBe('192.0.2.1');
});

test.each(['203.0.113.7', '::ffff:203.0.113.7'])(
  '%s starts no look for IPv6, whose first costs a cold start',
  (address) => {
    addressOf(requestFrom('2001:db8::1'), false);
    expect(isIPv6).toHaveBeenCalled();
    vi.mocked(isIPv6).mockClear();
    addressOf(requestFrom(address), false);
    expect(isIPv6).not.toHaveBeenCalled();
  },
);
