import { expect, test } from 'vitest';
import { findFreePort, holdPort } from '#local/ports.ts';

const LOOPBACK = '127.0.0.1';

test('never draws one port twice, however many are drawn and given free again', async () => {
  const ports: number[] = [];
  for (let round = 0; round < 300; round++) ports.push(await findFreePort(LOOPBACK));
  expect(new Set(ports).size).toBe(ports.length);
});

test('draws outside the range that systems give to outgoing connections', async () => {
  for (let round = 0; round < 50; round++) {
    const port = await findFreePort(LOOPBACK);
    expect(port).toBeGreaterThanOrEqual(20_000);
    expect(port).toBeLessThan(32_768);
  }
});

test('a held port is nobody else’s until it is released', async () => {
  const held = await holdPort(LOOPBACK);
  const other = await holdPort(LOOPBACK, held.port);
  expect(other.port).not.toBe(held.port);
  await held.release();
  const again = await holdPort(LOOPBACK, held.port);
  expect(again.port).toBe(held.port);
  await Promise.all([other.release(), again.release()]);
});
