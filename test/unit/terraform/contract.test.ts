// Compares terraform/ with shared/topology.ts: both name the same resources. Reading HCL needs no provider.
import { spawnSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { parse } from '@cdktf/hcl2json';
import { beforeAll, describe, expect, test } from 'vitest';
import * as z from 'zod';
import { TRAIL_NOT_WHOLE } from '#functions/audit/daily-check.ts';
import { ANCHOR_PREFIX } from '#shared/audit/anchor.ts';
import { HostName, MAX_HOST_NAME_LENGTH } from '#shared/names.ts';
import {
  commandsTopic,
  connectionsAtMost,
  DATABASE_CONNECTIONS,
  DEAD_LETTER_TOPIC,
  ENTRY_POINTS,
  findEntryPoint,
  MAX_LIVE_SESSIONS,
  OBJECTS_TOPIC,
  PUBLISHERS,
  PUSH_ROUTES,
  SCHEDULES,
  SUBSCRIPTION_TERMS,
} from '#shared/topology.ts';

const DIR = join(import.meta.dirname, '../../../terraform');
const Block = z.record(z.string(), z.unknown());
const Variable = z.array(
  z.looseObject({ validation: z.array(z.looseObject({ condition: z.string() })).optional() }),
);
const File = z.looseObject({
  variable: z.record(z.string(), Variable).default({}),
  locals: z.array(Block).default([]),
  resource: z.record(z.string(), z.record(z.string(), z.array(Block))).default({}),
  data: z.record(z.string(), z.record(z.string(), z.array(Block))).default({}),
});

const Bindings = z.array(
  z.looseObject({
    role: z.string(),
    members: z.array(z.string()),
    condition: z.array(z.looseObject({ expression: z.string() })).optional(),
  }),
);

const locals: Record<string, unknown> = {};
const variables: Record<string, z.infer<typeof Variable>> = {};
const resources: Record<string, Record<string, unknown>> = {};

beforeAll(async () => {
  const names = readdirSync(DIR, { recursive: true, encoding: 'utf8' });
  for (const name of names.filter((file) => file.endsWith('.tf'))) {
    const file = File.parse(await parse(name, readFileSync(join(DIR, name), 'utf8')));
    Object.assign(variables, file.variable);
    for (const block of file.locals) Object.assign(locals, block);
    for (const [type, named] of Object.entries({ ...file.resource, ...file.data })) {
      for (const [label, [block]] of Object.entries(named)) resources[`${type}.${label}`] = block ?? {};
    }
  }
});

const EntryPoints = z.record(
  z.string(),
  z.looseObject({
    callers: z.array(z.string()),
    variables: z.array(z.string()),
    instances: z.int(),
    concurrency: z.int(),
  }),
);

function membersOfKey(key: string): unknown[] {
  return Object.entries(resources)
    .filter(([name]) => name.startsWith('google_kms_crypto_key_iam'))
    .filter(([, grant]) => grant.crypto_key_id === `\${google_kms_crypto_key.${key}.id}`)
    .map(([, grant]) => grant.member);
}

describe('terraform', () => {
  test('deploys exactly the entry points of the topology, with their callers, variables and limits', () => {
    const deployed = EntryPoints.parse(locals.entry_points);
    const expected = Object.fromEntries(
      ENTRY_POINTS.map(({ name, callers, variables, instances, concurrency }) => [
        name,
        {
          callers: callers === 'public' ? ['public'] : [...callers],
          variables: [...variables],
          instances,
          concurrency,
        },
      ]),
    );
    const found = Object.fromEntries(
      Object.entries(deployed).map(([name, { callers, variables, instances, concurrency }]) => [
        name,
        { callers, variables, instances, concurrency },
      ]),
    );
    expect(found).toEqual(expected);
  });

  test('gives every variable a value', () => {
    const plain = Object.keys(Block.parse(locals.plain_values));
    const secret = Object.keys(Block.parse(locals.secret_ids));
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

  test('lets those publish that the topology names', () => {
    expect(locals.publishers).toEqual(
      Object.fromEntries(PUBLISHERS.map(({ topic, entryPoints }) => [topic, [...entryPoints]])),
    );
  });

  test('lets Cloud Storage tell of finalised objects where verify-object hears of them', () => {
    const notification = resources['google_storage_notification.finalised'];
    expect(notification).toMatchObject({
      event_types: ['OBJECT_FINALIZE'],
      payload_format: 'JSON_API_V1',
      topic: `\${google_pubsub_topic.push["${OBJECTS_TOPIC}"].id}`,
    });
  });

  test.each([
    ['w'.repeat(MAX_HOST_NAME_LENGTH), true],
    ['w'.repeat(MAX_HOST_NAME_LENGTH + 1), false],
    ['web-1', true],
    ['web-', false],
    ['Web', false],
    ['1web', false],
  ])('takes a host name exactly when the runbook does: %s', (name, isHostName) => {
    const condition = variables.hosts?.[0]?.validation?.[0]?.condition ?? '';
    const pattern = /regex\("([^"]+)"/.exec(condition)?.[1];
    expect({
      terraform: new RegExp(pattern ?? 'no pattern').test(name),
      runbook: HostName.safeParse(name).success,
    }).toEqual({ terraform: isHostName, runbook: isHostName });
  });

  test('needs no more connections than the smallest instance has', () => {
    const { limit, reserved } = DATABASE_CONNECTIONS;
    expect(connectionsAtMost()).toBeLessThanOrEqual(limit - reserved);
  });

  test('lets live hold the people that it lets in', () => {
    expect(findEntryPoint('live').concurrency).toBe(2 * MAX_LIVE_SESSIONS);
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
    expect(resources['google_pubsub_topic.commands']?.name).toBe(commandsTopic('${each.key}'));
  });

  test('runs the functions on Node 24', () => {
    const [build] = z
      .array(z.looseObject({ runtime: z.string() }))
      .parse(resources['google_cloudfunctions2_function.this']?.build_config);
    expect(build?.runtime).toBe('nodejs24');
  });

  test('lets only sign use the signing key', () => {
    expect(membersOfKey('signing')).toEqual(['${google_service_account.entry_point["sign"].member}']);
  });

  test('lets only Cloud Storage use the key of the backups', () => {
    expect(membersOfKey('backups')).toEqual(['${data.google_storage_project_service_account.this.member}']);
  });

  test('lets sign create anchors of the audit trail and admin read them, and neither anything else', () => {
    expect(locals.anchor_prefix).toBe(ANCHOR_PREFIX);
    expect(locals.anchor_objects).toBe(
      'projects/_/buckets/${google_storage_bucket.backups.name}/objects/${local.anchor_prefix}',
    );
    const bindings = Bindings.parse(resources['google_iam_policy.backups']?.binding);
    const grantsOf = (name: string) =>
      bindings.filter(({ members }) => members.some((member) => member.includes(`["${name}"]`)));
    const below = "resource.name.startsWith('${local.anchor_objects}')";
    expect(grantsOf('sign')).toMatchObject([
      { role: 'roles/storage.objectCreator', condition: [{ expression: below }] },
    ]);
    const listed = "api.getAttribute('storage.googleapis.com/objectListPrefix', '')";
    expect(grantsOf('admin')).toMatchObject([
      {
        role: 'roles/storage.objectViewer',
        condition: [{ expression: `${below} || ${listed}.startsWith('\${local.anchor_prefix}')` }],
      },
    ]);
    const notification = resources['google_storage_notification.finalised'];
    expect(ANCHOR_PREFIX.startsWith(String(notification?.object_name_prefix))).toBe(false);
  });

  test('tells the operators when verify logs that the audit trail is not whole', () => {
    const policy = resources['google_monitoring_alert_policy.audit_trail'];
    const [service, text] = ['lamplighter-verify', TRAIL_NOT_WHOLE];
    const filter = `resource.type = "cloud_run_revision" AND resource.labels.service_name = "${service}" AND jsonPayload.message = "${text}"`;
    expect(policy).toMatchObject({
      conditions: [{ condition_matched_log: [{ filter }] }],
      // Google refuses a policy on log lines without it.
      alert_strategy: [{ notification_rate_limit: [{ period: expect.stringMatching(/^\d+s$/) }] }],
    });
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
