// terraform/ against the code: what is deployed is what shared/topology.ts names. No provider is needed to read HCL.
import { spawnSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { parse } from '@cdktf/hcl2json';
import { beforeAll, describe, expect, test } from 'vitest';
import { z } from 'zod';
import {
  DEAD_LETTER_TOPIC,
  ENTRY_POINTS,
  PUSH_ROUTES,
  SCHEDULES,
  SUBSCRIPTION_TERMS,
} from '#shared/topology.ts';

const DIR = join(import.meta.dirname, '../../../terraform');
const Block = z.record(z.string(), z.unknown());
const File = z.looseObject({
  locals: z.array(Block).default([]),
  resource: z.record(z.string(), z.record(z.string(), z.array(Block))).default({}),
});

const locals: Record<string, unknown> = {};
const resources: Record<string, Record<string, unknown>> = {};

beforeAll(async () => {
  for (const name of readdirSync(DIR).filter((file) => file.endsWith('.tf'))) {
    const file = File.parse(await parse(name, readFileSync(join(DIR, name), 'utf8')));
    for (const block of file.locals) Object.assign(locals, block);
    for (const [type, named] of Object.entries(file.resource)) {
      for (const [label, [block]] of Object.entries(named)) resources[`${type}.${label}`] = block ?? {};
    }
  }
});

const EntryPoints = z.record(
  z.string(),
  z.looseObject({ callers: z.array(z.string()), variables: z.array(z.string()) }),
);

describe('terraform', () => {
  test('deploys exactly the entry points of the topology, with their callers and variables', () => {
    const deployed = EntryPoints.parse(locals.entry_points);
    const expected = Object.fromEntries(
      ENTRY_POINTS.map(({ name, callers, variables }) => [
        name,
        { callers: callers === 'public' ? ['public'] : [...callers], variables: [...variables] },
      ]),
    );
    const found = Object.fromEntries(
      Object.entries(deployed).map(([name, { callers, variables }]) => [name, { callers, variables }]),
    );
    expect(found).toEqual(expected);
  });

  test('gives every variable a value', () => {
    const plain = Object.keys(Block.parse(locals.plain_values));
    const secret = z.array(z.string()).parse(locals.secret_values);
    const known = new Set([...plain, ...secret, 'OIDC_AUDIENCE', 'OIDC_CALLERS']);
    const needed = new Set(ENTRY_POINTS.flatMap(({ variables }) => variables));
    expect([...needed].filter((name) => !known.has(name))).toEqual([]);
    expect([...known].filter((name) => !needed.has(name as never))).toEqual([]);
  });

  test('pushes each topic to its entry point', () => {
    expect(locals.push_routes).toEqual(
      Object.fromEntries(PUSH_ROUTES.map(({ topic, entryPoint }) => [topic, entryPoint])),
    );
  });

  test('runs the schedules of the topology', () => {
    const expected = SCHEDULES.map(({ name, entryPoint, cron, body }) => [
      name,
      { entry_point: entryPoint, cron, body },
    ]);
    expect(locals.schedules).toEqual(Object.fromEntries(expected));
  });

  test('uses the terms of the topology for subscriptions', () => {
    expect(locals.subscription_terms).toEqual({
      ack_deadline_s: SUBSCRIPTION_TERMS.ackDeadlineS,
      push_ack_deadline_s: SUBSCRIPTION_TERMS.pushAckDeadlineS,
      retention: `${SUBSCRIPTION_TERMS.retentionS}s`,
      max_delivery_attempts: SUBSCRIPTION_TERMS.maxDeliveryAttempts,
      push_max_delivery_attempts: SUBSCRIPTION_TERMS.pushMaxDeliveryAttempts,
      min_backoff: `${SUBSCRIPTION_TERMS.minBackoffS}s`,
      max_backoff: `${SUBSCRIPTION_TERMS.maxBackoffS}s`,
    });
  });

  test.each(['commands', 'push', 'dead_letters'])('never lets subscription %s expire', (label) => {
    expect(resources[`google_pubsub_subscription.${label}`]?.expiration_policy).toEqual([{ ttl: '' }]);
  });

  test('names the dead-letter topic as the code does', () => {
    expect(resources['google_pubsub_topic.dead_letters']?.name).toBe(DEAD_LETTER_TOPIC);
  });

  test('orders a host’s commands', () => {
    expect(resources['google_pubsub_subscription.commands']?.enable_message_ordering).toBe(true);
    expect(resources['google_pubsub_topic.commands']?.name).toBe('commands-${each.key}');
  });

  test('runs the functions on Node 24', () => {
    const [build] = z
      .array(z.looseObject({ runtime: z.string() }))
      .parse(resources['google_cloudfunctions2_function.entry_point']?.build_config);
    expect(build?.runtime).toBe('nodejs24');
  });

  test('lets only sign use the signing key', () => {
    const grants = Object.entries(resources).filter(([name]) => name.startsWith('google_kms_crypto_key_iam'));
    expect(grants.map(([, block]) => block.member)).toEqual([
      '${google_service_account.entry_point["sign"].member}',
    ]);
  });

  const terraform = (process.env.PATH ?? '')
    .split(delimiter)
    .map((dir) => join(dir, 'terraform'))
    .find(existsSync);
  test.skipIf(!terraform)('is formatted (skipped where the terraform program is missing)', () => {
    const { status, stdout } = spawnSync(terraform ?? '', ['fmt', '-check', '-recursive', DIR], {
      encoding: 'utf8',
    });
    expect({ status, stdout }).toEqual({ status: 0, stdout: '' });
  });
});
