// One table of behaviours, through Google's own client, against our Pub/Sub and against Google's emulator where this
// machine has it. Where the emulator is known to differ from the service, the row says so and is asked of ours alone.
import { randomUUID } from 'node:crypto';
import { type Message, PubSub, type Subscription, type Topic } from '@google-cloud/pubsub';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { startPubsub } from '#local/cloud/pubsub/server.ts';
import { findGoogleEmulator, startGoogleEmulator } from '#test/fixtures/google-emulator.ts';

interface Target {
  name: string;
  isOurs: boolean;
  isHere: boolean;
  start(): Promise<{ address: string; close(): Promise<void> }>;
}

const TARGETS: Target[] = [
  { name: 'ours', isOurs: true, isHere: true, start: () => startPubsub({ host: '127.0.0.1' }) },
  {
    name: "Google's emulator (skipped where this machine has none)",
    isOurs: false,
    isHere: findGoogleEmulator() !== undefined,
    start: () => startGoogleEmulator({ host: '127.0.0.1' }),
  },
];

/** Collects messages; `decide` says what becomes of each. */
function collect(subscription: Subscription, decide: (message: Message, all: Message[]) => void): Message[] {
  const all: Message[] = [];
  subscription.on('message', (message: Message) => {
    all.push(message);
    decide(message, all);
  });
  subscription.on('error', () => undefined);
  return all;
}

async function until(condition: () => boolean): Promise<void> {
  await expect.poll(condition, { interval: 10 }).toBe(true);
}

describe.each(TARGETS)('Pub/Sub: $name', ({ isOurs, isHere, start }) => {
  let server: Awaited<ReturnType<Target['start']>>;
  let client: PubSub;

  beforeAll(async () => {
    if (!isHere) return;
    server = await start();
    client = new PubSub({ projectId: 'contract', apiEndpoint: server.address, emulatorMode: true });
  });
  afterAll(async () => {
    await client?.close();
    await server?.close();
  });

  async function fresh(
    options: Parameters<Topic['createSubscription']>[1] = {},
  ): Promise<[Topic, Subscription]> {
    const [topic] = await client.createTopic(`t-${randomUUID()}`, {});
    const [subscription] = await topic.createSubscription(`s-${randomUUID()}`, {
      ackDeadlineSeconds: 10,
      ...options,
    });
    return [client.topic(topic.name, { messageOrdering: true, batching: { maxMessages: 1 } }), subscription];
  }

  const row = test.skipIf(!isHere);
  const ourRow = test.skipIf(!isHere || !isOurs);

  row('delivers data, attributes and a publish time, and nothing again after an ack', async () => {
    const [topic, subscription] = await fresh();
    const got = collect(subscription, (message) => message.ack());
    const id = await topic.publishMessage({ data: Buffer.from('häl\0lo'), attributes: { a: '1', ü: 'ö' } });
    await until(() => got.length === 1);
    expect(got[0]).toMatchObject({ id, attributes: { a: '1', ü: 'ö' } });
    expect(got[0]?.data.toString()).toBe('häl\0lo');
    expect(Math.abs(Date.now() - (got[0]?.publishTime.getTime() ?? 0))).toBeLessThan(60_000);
    await subscription.close();
  });

  row('delivers again what was given back', async () => {
    const [topic, subscription] = await fresh();
    const got = collect(subscription, (message, all) => (all.length < 3 ? message.nack() : message.ack()));
    await topic.publishMessage({ data: Buffer.from('x') });
    await until(() => got.length === 3);
    expect(new Set(got.map(({ id }) => id)).size).toBe(1);
    await subscription.close();
  });

  row('gives each subscription its own copy', async () => {
    const [topic, first] = await fresh();
    const [second] = await topic.createSubscription(`s-${randomUUID()}`);
    const got = [collect(first, (m) => m.ack()), collect(second, (m) => m.ack())];
    await topic.publishMessage({ data: Buffer.from('x') });
    await until(() => got.every((messages) => messages.length === 1));
    await Promise.all([first.close(), second.close()]);
  });

  row('keeps the order of a key', async () => {
    const [topic, subscription] = await fresh({ enableMessageOrdering: true });
    const got = collect(subscription, (message) => setTimeout(() => message.ack(), Math.random() * 5));
    const sent = Array.from({ length: 30 }, (_, i) => String(i));
    await Promise.all(
      sent.map((text) => topic.publishMessage({ data: Buffer.from(text), orderingKey: 'k' })),
    );
    await until(() => got.length === sent.length);
    expect(got.map(({ data }) => data.toString())).toEqual(sent);
    await subscription.close();
  });

  row('takes the same name once, and says when there is none', async () => {
    const [topic, subscription] = await fresh();
    const [id = '', subscriptionId = ''] = [topic, subscription].map(({ name }) => name.split('/').at(-1));
    await expect(client.createTopic(id)).rejects.toMatchObject({ code: 6 });
    await expect(topic.createSubscription(subscriptionId)).rejects.toMatchObject({ code: 6 });
    await expect(client.topic('never-made').createSubscription('none')).rejects.toMatchObject({ code: 5 });
    await expect(client.topic('never-made').publishMessage({ data: Buffer.from('x') })).rejects.toMatchObject(
      { code: 5 },
    );
  });

  row.each([
    ['a topic name that is none', () => client.createTopic('1')],
    [
      'a message without anything in it',
      async () => (await fresh())[0].publishMessage({ data: Buffer.alloc(0) }),
    ],
    ['an ack deadline of a day', () => fresh({ ackDeadlineSeconds: 86_400 })],
  ])('refuses %s with INVALID_ARGUMENT', async (_what, act) => {
    await expect(act()).rejects.toMatchObject({ code: 3 });
  });

  ourRow(
    'refuses a filter and what is not served, rather than ignoring it (the emulator ignores filters)',
    async () => {
      await expect(fresh({ filter: 'attributes:host' })).rejects.toMatchObject({ code: 12 });
      await expect(fresh({ enableExactlyOnceDelivery: true })).rejects.toMatchObject({ code: 12 });
      const [topic] = await fresh();
      await expect(topic.delete()).rejects.toMatchObject({ code: 12 });
    },
  );

  ourRow(
    'buries a message after its attempts, saying where it came from (timing differs in the emulator)',
    async () => {
      const [deadTopic, deadSubscription] = await fresh();
      const deadLetterPolicy = { deadLetterTopic: deadTopic.name, maxDeliveryAttempts: 5 };
      const [topic, subscription] = await fresh({ deadLetterPolicy });
      const got = collect(subscription, (message) => message.nack());
      const buried = collect(deadSubscription, (message) => message.ack());
      await topic.publishMessage({ data: Buffer.from('x'), attributes: { a: '1' } });
      await until(() => buried.length === 1);
      expect(got.map(({ deliveryAttempt }) => deliveryAttempt)).toEqual([1, 2, 3, 4, 5]);
      expect(buried[0]?.attributes).toMatchObject({ a: '1', CloudPubSubDeadLetterSourceDeliveryCount: '5' });
      await Promise.all([subscription.close(), deadSubscription.close()]);
    },
  );

  ourRow('refuses more than 10 MB (the emulator takes it)', async () => {
    const [topic] = await fresh();
    await expect(topic.publishMessage({ data: Buffer.alloc(10_000_001) })).rejects.toMatchObject({ code: 3 });
  });
});
