import { describe, expect, test } from 'vitest';
import { carryRead } from '#agent/dispatch/carry-read.ts';
import { createReadGate, READ_LIMITS } from '#agent/dispatch/read-gate.ts';
import { CommandEnvelope } from '#shared/command/envelope.ts';
import { Policy } from '#shared/policy/policy.ts';
import { makeEnvelope } from '#test/fixtures/agent-host.ts';

const LIMITS = { atOnce: 2, streams: 1, waiting: 2 };

describe('the gate', () => {
  test('lets so many in, has so many wait in order, and turns the rest away', async () => {
    const gate = createReadGate(LIMITS);
    const [first, second] = [await gate.enter('brief'), await gate.enter('brief')];
    const order: string[] = [];
    const waiting = ['third', 'fourth'].map((name) =>
      gate.enter('brief').then((leave) => {
        order.push(name);
        return leave;
      }),
    );
    expect(await gate.enter('brief')).toBeUndefined();
    expect(order).toEqual([]);
    first?.();
    // Leaving twice gives only one place back.
    first?.();
    await waiting[0];
    expect(order).toEqual(['third']);
    second?.();
    expect(await waiting[1]).toBeDefined();
  });

  test('keeps places for brief reads: of streams fewer run, and none waits', async () => {
    const gate = createReadGate(LIMITS);
    const stream = await gate.enter('stream');
    expect(await gate.enter('stream')).toBeUndefined();
    expect(await gate.enter('brief')).toBeDefined();
    stream?.();
    expect(await gate.enter('stream')).toBeDefined();
  });
});

describe('150 reads at once', () => {
  const signed = { payload: Buffer.alloc(0), signature: Buffer.alloc(0), keyId: '' };
  const policy = Policy.parse({ version: 1, host: 'web-1', operations: [], units: {} });
  const envelope = CommandEnvelope.parse(makeEnvelope({}));

  test('are at most eight at a time; what neither runs nor waits is told to ask again', async () => {
    const terms = {
      gate: createReadGate(READ_LIMITS),
      clock: () => new Date(),
      signal: new AbortController().signal,
    };
    let running = 0;
    let most = 0;
    const read = async () => {
      running += 1;
      most = Math.max(most, running);
      await new Promise((resolve) => setImmediate(resolve));
      running -= 1;
    };
    const context = { policy, envelope, signed };
    const all = Array.from({ length: 150 }, () => carryRead(read, 'brief', {}, context, terms));
    const states = (await Promise.all(all)).map(({ state, code }) => code ?? state);
    expect(most).toBe(8);
    expect(states.filter((state) => state === 'succeeded')).toHaveLength(40);
    expect(states.filter((state) => state === 'busy')).toHaveLength(110);
  });

  test('one whose time to start is over is not begun', async () => {
    const late = () => new Date(Date.parse(envelope.expiresAt) + 1);
    const terms = { gate: createReadGate(READ_LIMITS), clock: late, signal: new AbortController().signal };
    const never = () => Promise.reject(new Error('it was begun'));
    const end = await carryRead(never, 'stream', {}, { policy, envelope, signed }, terms);
    expect(end).toMatchObject({ state: 'expired', code: 'expired' });
    expect(await terms.gate.enter('stream')).toBeDefined();
  });
});
