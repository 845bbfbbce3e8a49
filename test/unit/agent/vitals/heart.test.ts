import { expect, test, vi } from 'vitest';
import { createHeart } from '#agent/vitals/heart.ts';

const NO_ENDS = { told: () => undefined, isHeartbeatDue: () => false };
const HOUR_MS = 3_600_000;

test('a wake while a heartbeat is being sent leads to another', async () => {
  const stop = new AbortController();
  let sent = 0;
  const heart = createHeart({
    everyMs: HOUR_MS,
    ends: NO_ENDS,
    onTrouble: () => undefined,
    signal: stop.signal,
    send: () => {
      sent += 1;
      if (sent === 1) heart.wake();
      else stop.abort();
      return Promise.resolve([]);
    },
  });
  await heart.beat();
  expect(sent).toBe(2);
});

test('what a heartbeat told is taken over only when it was sent', async () => {
  const stop = new AbortController();
  const told = vi.fn();
  const troubles: string[] = [];
  let sent = 0;
  const heart = createHeart({
    everyMs: 1,
    ends: { ...NO_ENDS, told },
    onTrouble: (text) => void troubles.push(text),
    signal: stop.signal,
    send: () => {
      sent += 1;
      if (sent === 1) return Promise.reject(new Error('Pub/Sub is away'));
      stop.abort();
      return Promise.resolve([]);
    },
  });
  await heart.beat();
  expect(troubles).toEqual(['heartbeat: Pub/Sub is away']);
  expect(told.mock.calls).toEqual([[[]]]);
});
