import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { describe, expect, test } from 'vitest';
import { findKey, offeredProtocols } from '#shared/live/frames.ts';
import { createLineRing, type LineRing } from '#shared/live/line-ring.ts';

function line(n: number) {
  return { at: '2026-11-23T08:00:00.000Z', priority: 6, message: `line ${n}` };
}

function fill(ring: LineRing, from: number, to: number): LineRing {
  for (let n = from; n <= to; n++) ring.append(line(n));
  return ring;
}

function messages(ring: LineRing, from: number, maxLines = 100): string[] | undefined {
  const frame = ring.read(from, maxLines);
  return frame?.type === 'lines' ? frame.lines.map(({ message }) => message) : undefined;
}

describe('a ring', () => {
  test('gives lines from any number on, at most as many as asked for', () => {
    const ring = fill(createLineRing(10, 1000), 1, 5);
    expect(messages(ring, 1)).toEqual(['line 1', 'line 2', 'line 3', 'line 4', 'line 5']);
    expect(messages(ring, 3, 2)).toEqual(['line 3', 'line 4']);
    expect(ring.read(6, 100)).toBeUndefined();
    expect(ring.next()).toBe(6);
  });

  test('says how many are gone', () => {
    const ring = fill(createLineRing(3, 1000), 1, 10);
    expect(ring.read(1, 100)).toEqual({ type: 'dropped', from: 1, count: 7 });
    expect(messages(ring, 8)).toEqual(['line 8', 'line 9', 'line 10']);
  });

  test('is bounded in size too, but keeps the newest line however long it is', () => {
    const ring = createLineRing(100, 20);
    ring.append({ ...line(1), message: 'a'.repeat(15) });
    ring.append({ ...line(2), message: 'b'.repeat(50) });
    expect(ring.read(1, 100)).toEqual({ type: 'dropped', from: 1, count: 1 });
    expect(messages(ring, 2)).toEqual(['b'.repeat(50)]);
  });

  test('passes losses of before on, in their place', () => {
    const ring = fill(createLineRing(10, 1000), 1, 2);
    ring.skip(5);
    ring.append(line(8));
    expect(messages(ring, 1)).toEqual(['line 1', 'line 2']);
    expect(ring.read(3, 100)).toEqual({ type: 'dropped', from: 3, count: 5 });
    expect(ring.read(5, 100)).toEqual({ type: 'dropped', from: 5, count: 3 });
    expect(messages(ring, 8)).toEqual(['line 8']);
  });

  test('lets go of what it forgot, however few lines fill it', async () => {
    const ring = createLineRing(1000, 1000);
    const lines: WeakRef<object>[] = [];
    for (let n = 0; n < 500; n++) {
      const one = { ...line(n), message: 'x'.repeat(100) };
      lines.push(new WeakRef(one));
      ring.append(one);
    }
    // A new WeakRef keeps its target until the current task has ended.
    await new Promise((resolve) => setImmediate(resolve));
    setFlagsFromString('--expose-gc');
    runInNewContext('gc')();
    expect(lines.filter((one) => one.deref()).length).toBeLessThanOrEqual(21);
    expect(ring.next()).toBe(501);
  });

  test('whatever comes in, a reader that goes on where it was told sees every number once', () => {
    const ring = createLineRing(7, 200);
    let cursor = 1;
    let seen = 0;
    for (let round = 0; round < 500; round++) {
      const next = ring.next();
      if (round % 11 === 0) ring.skip((round % 5) + 1);
      else fill(ring, next, next + (round % 4));
      if (round % 3 !== 0) continue;
      for (let frame = ring.read(cursor, 3); frame; frame = ring.read(cursor, 3)) {
        expect(frame.from).toBe(cursor);
        const count = frame.type === 'lines' ? frame.lines.length : frame.count;
        if (frame.type === 'lines') expect(frame.lines[0]?.message).toBe(`line ${cursor}`);
        cursor += count;
        seen += count;
      }
    }
    expect(seen).toBe(cursor - 1);
    expect(cursor).toBeGreaterThan(500);
  });
});

test('a key travels as a subprotocol and is found again', () => {
  const key = 'k'.repeat(43);
  expect(findKey(offeredProtocols('resume', key))).toEqual({ use: 'resume', key });
  expect(findKey(['lamplighter-live.v1', 'ticket.short'])).toBeUndefined();
});
