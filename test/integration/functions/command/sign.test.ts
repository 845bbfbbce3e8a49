import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { requestCommand, resendRequestedCommands } from '#functions/command/request.ts';
import { sendCommand } from '#functions/command/send.ts';
import { listAudit, verifyAuditChain } from '#functions/store/audit.ts';
import { findCommand } from '#functions/store/commands.ts';
import { createToken, revokeToken } from '#functions/store/tokens.ts';
import { admitCommand } from '#shared/command/admit.ts';
import type { Actor } from '#shared/command/envelope.ts';
import { LamplighterError } from '#shared/errors.ts';
import { CATALOGUE } from '#shared/operations/catalogue.ts';
import { Risk, Role } from '#shared/role.ts';
import { fromWire } from '#shared/signing/message.ts';
import { applyTestRunbook, DEMO_RUNBOOK } from '#test/fixtures/control-plane.ts';
import { createTestDeps, type TestDeps } from '#test/fixtures/deps.ts';
import { createTestDatabase, type TestDatabase } from '#test/fixtures/postgres.ts';

let database: TestDatabase;
let deps: TestDeps;
let count = 0;

beforeAll(async () => {
  database = await createTestDatabase();
});
afterAll(() => database.drop());
beforeEach(async () => {
  deps = createTestDeps(database.db);
  await applyTestRunbook(database.db);
});

async function tokenActor(role: Role): Promise<Actor> {
  count += 1;
  const name = `person-${count}`;
  await createToken(database.db, { name, role }, deps.now);
  return { kind: 'token', name, role };
}

const ALERT = {
  id: '5b0c1f6e-6f0f-4a57-9d4c-3b3f5a3f5a3f',
  at: '2026-11-23T10:00:00.000Z',
  event: 'firing',
  level: 'CRITICAL',
  severity: 'P1',
  kind: 'check',
  host: 'web-1',
  summary: 'engines-api is failing',
};
const RESTART = { operation: 'service.restart', params: { service: 'web' }, dryRun: false };
/** A sign function that can't be reached: commands stay requested. */
const UNREACHABLE = {
  signCommand: () => Promise.reject(new LamplighterError('unavailable', 'call sign', { retryable: true })),
};

async function unsigned(actor: Actor, order = RESTART): Promise<string> {
  return (await requestCommand({ ...deps, clock: deps.clock, ...UNREACHABLE }, { ...order, actor })).id;
}

test('a command goes out signed over its exact bytes, in the order of its host', async () => {
  const actor = await tokenActor('responder');
  const { id, host } = await requestCommand(deps, { ...RESTART, actor });
  const [sent] = deps.published;
  expect(sent).toMatchObject({ topic: 'lamplighter-commands-web-1', orderingKey: 'web-1' });
  const admission = admitCommand(fromWire(sent!.message.data, sent!.message.attributes), {
    hostName: host,
    pinnedKeys: [deps.signingKey.publicKey],
    nowMs: deps.now.getTime(),
    maxClockSkewMs: 0,
    horizonMs: 0,
  });
  expect(admission).toMatchObject({
    admitted: true,
    envelope: {
      id,
      operation: 'service.restart',
      spec: { unit: 'app-web.service' },
      actor,
      issuedAt: '2026-11-23T10:00:00.000Z',
      expiresAt: '2026-11-23T10:05:00.000Z',
    },
  });
  expect(await findCommand(database.db, id)).toMatchObject({ state: 'sent' });
});

const RANKS: Record<Role, number> = { viewer: 0, responder: 1, operator: 2, admin: 3 };
const LEAST: Record<Risk, number> = { read: 0, change: 1, disruptive: 2, destructive: 2 };
const SAMPLES: Record<Risk, { operation: string; params: Record<string, unknown> }> = {
  read: { operation: 'service.status', params: { service: 'web' } },
  change: { operation: 'service.restart', params: { service: 'web' } },
  disruptive: { operation: 'service.stop', params: { service: 'web' } },
  destructive: {
    operation: 'restore.run',
    params: { backup: '20261123T020000Z-1f3a9c', confirm: 'analytics' },
  },
};

describe('role against risk', () => {
  test('the samples have the risks they stand for', () => {
    for (const risk of Risk.options) {
      expect(CATALOGUE.find(({ name }) => name === SAMPLES[risk].operation)?.risk).toBe(risk);
    }
  });

  const table = Role.options.flatMap((role) => Risk.options.map((risk) => ({ role, risk })));
  test.each(table)('$role asks for something $risk', async ({ role, risk }) => {
    const actor = await tokenActor(role);
    const asked = requestCommand(deps, { ...SAMPLES[risk], actor, dryRun: false });
    if (RANKS[role] >= LEAST[risk]) {
      expect(await findCommand(database.db, (await asked).id)).toMatchObject({ state: 'sent' });
      return;
    }
    const denial = { actor: `token:${actor.name}`, subject: SAMPLES[risk].operation };
    await expect(asked).rejects.toMatchObject({ code: 'not-allowed', facts: { denial } });
    expect(deps.published).toEqual([]);
  });
});

describe('sign refuses what no longer holds', () => {
  const rows = (sql: string) => async (id: string) => void (await database.db.query(sql, [id]));
  const table: [string, Role, (id: string, actor: Actor) => Promise<void>, RegExp][] = [
    [
      'a token that was revoked meanwhile',
      'operator',
      (_id, actor) => revokeToken(database.db, actor.name, deps.now),
      /was revoked/,
    ],
    [
      'a token whose role was lowered meanwhile',
      'operator',
      async (_id, actor) =>
        void (await database.db.query("UPDATE api_tokens SET role = 'viewer' WHERE name = $1", [actor.name])),
      /role viewer is not allowed/,
    ],
    [
      'a row whose parameters were changed',
      'operator',
      rows(`UPDATE commands SET params = '{"service":"nginx"}' WHERE id = $1`),
      /differs from the command in the audit trail/,
    ],
    [
      'a row whose operation was changed',
      'operator',
      rows("UPDATE commands SET operation = 'service.stop' WHERE id = $1"),
      /differs from the command in the audit trail/,
    ],
    [
      'a row whose actor was changed',
      'responder',
      rows("UPDATE commands SET actor_name = 'somebody' WHERE id = $1"),
      /differs from the command in the audit trail/,
    ],
    [
      'a row whose life was prolonged',
      'responder',
      rows("UPDATE commands SET expires_at = expires_at + interval '1 hour' WHERE id = $1"),
      /differs from the command in the audit trail/,
    ],
    [
      'a service that left the runbook',
      'responder',
      () =>
        applyTestRunbook(
          database.db,
          DEMO_RUNBOOK.replace(/^ {2}web:$/m, '  site:')
            .replaceAll('service: web\n', 'service: site\n')
            .replace('intake, orchestrator, web', 'intake, orchestrator, site'),
        ),
      /no such service/,
    ],
  ];
  test.each(table)('%s', async (_name, role, change, reason) => {
    const actor = await tokenActor(role);
    const id = await unsigned(actor);
    await change(id, actor);
    expect(await sendCommand(deps, id)).toBe('rejected');
    expect(await findCommand(database.db, id)).toMatchObject({
      state: 'rejected',
      message: expect.stringMatching(reason),
    });
    expect(await listAudit(database.db, { action: 'sign.refused', target: id, limit: 5 })).toHaveLength(1);
    expect(deps.published).toEqual([]);
  });

  test('a row that was never asked for', async () => {
    const id = '0197c2aa-0000-7000-8000-000000000001';
    await database.db.query(
      `INSERT INTO commands (id, operation, host, params, dry_run, actor_kind, actor_name, actor_role, order_digest,
         state, requested_at, expires_at, timeout_ms)
       VALUES ($1, 'backup.run', 'web-1', '{}', false, 'schedule', 'backup', 'operator', '', 'requested', $2, $3, 1000)`,
      [id, deps.now, new Date(deps.now.getTime() + 60_000)],
    );
    expect(await sendCommand(deps, id)).toBe('rejected');
  });

  const others: [string, Actor, { operation: string; params: Record<string, unknown> }, RegExp][] = [
    [
      'a webhook that is not in the runbook',
      { kind: 'webhook', name: 'other', role: 'responder' },
      { operation: 'service.restart', params: { service: 'web' } },
      /no webhook other/,
    ],
    [
      'a webhook with parameters outside its list',
      { kind: 'webhook', name: 'restart-service', role: 'responder' },
      { operation: 'service.restart', params: { service: 'nginx' } },
      /does not allow this service/,
    ],
    [
      'a webhook for another operation',
      { kind: 'webhook', name: 'restart-service', role: 'responder' },
      { operation: 'service.start', params: { service: 'web' } },
      /bound to service.restart/,
    ],
    [
      'a schedule for something that is no job of the runbook',
      { kind: 'schedule', name: 'backup', role: 'admin' },
      { operation: 'service.stop', params: { service: 'web' } },
      /a schedule is not allowed to ask for service.stop/,
    ],
    [
      'a schedule for a job of another name',
      { kind: 'schedule', name: 'nightly', role: 'admin' },
      { operation: 'backup.run', params: {} },
      /the runbook has no job nightly with this backup.run/,
    ],
    [
      'a channel for the alerts of another one',
      { kind: 'channel', name: 'mail', role: 'admin' },
      { operation: 'alert.append', params: { channel: 'host-log', alert: ALERT } },
      /only host-log is allowed to ask for this alert.append/,
    ],
    [
      'a token for the alerts of a channel',
      { kind: 'token', name: 'host-log', role: 'admin' },
      { operation: 'alert.append', params: { channel: 'host-log', alert: ALERT } },
      /a token is not allowed to ask for alert.append/,
    ],
    [
      'a channel for anything but its alerts',
      { kind: 'channel', name: 'host-log', role: 'admin' },
      { operation: 'service.restart', params: { service: 'web' } },
      /a channel is not allowed to ask for service.restart/,
    ],
  ];
  test.each(others)('%s', async (_name, actor, order, reason) => {
    const { id } = await requestCommand(deps, { ...order, actor, dryRun: false });
    const record = await findCommand(database.db, id);
    expect(record).toMatchObject({ state: 'rejected', message: expect.stringMatching(reason) });
  });
});

test('the nightly backup and an alert line are signed for their own actors', async () => {
  const backup = await requestCommand(deps, {
    operation: 'backup.run',
    params: {},
    actor: { kind: 'schedule', name: 'backup', role: 'operator' },
    dryRun: false,
  });
  const line = await requestCommand(deps, {
    operation: 'alert.append',
    params: { channel: 'host-log', alert: ALERT },
    actor: { kind: 'channel', name: 'host-log', role: 'responder' },
    dryRun: false,
  });
  for (const { id } of [backup, line]) {
    expect(await findCommand(database.db, id)).toMatchObject({ state: 'sent' });
  }
});

describe('sending again', () => {
  test('a publish that failed leaves the command requested, and later sends the same bytes', async () => {
    const actor = await tokenActor('responder');
    let isDown = true;
    const { publisher } = deps;
    const flaky: TestDeps = Object.assign(deps, {
      publisher: {
        ...publisher,
        publish: (...args: Parameters<typeof publisher.publish>) => {
          if (!isDown) return publisher.publish(...args);
          return Promise.reject(new LamplighterError('unavailable', 'publish', { retryable: true }));
        },
      },
    });
    const { id } = await requestCommand(flaky, { ...RESTART, actor });
    expect(await findCommand(database.db, id)).toMatchObject({ state: 'requested', isSigned: true });
    deps.advance(10_000);
    isDown = false;
    await resendRequestedCommands(flaky);
    expect(await findCommand(database.db, id)).toMatchObject({ state: 'sent' });
    const [sent] = deps.published.filter(({ message }) => message.attributes['ce-id'] === id);
    expect(JSON.parse(sent!.message.data.toString())).toMatchObject({ issuedAt: '2026-11-23T10:00:00.000Z' });
  });

  test('a command that was sent is not sent again', async () => {
    const { id } = await requestCommand(deps, { ...RESTART, actor: await tokenActor('responder') });
    expect(await sendCommand(deps, id)).toBe('sent');
    expect(deps.published).toHaveLength(1);
  });

  test('a command that expired before it could be signed is never signed', async () => {
    const id = await unsigned(await tokenActor('responder'));
    deps.advance(5 * 60_000);
    expect(await sendCommand(deps, id)).toBe('expired');
    expect(deps.published).toEqual([]);
  });
});

describe('idempotency keys', () => {
  const key = () => `key-${(count += 1)}-abcdef`;

  test('the same key and order give one command, however many ask at once', async () => {
    const actor = await tokenActor('responder');
    const order = { ...RESTART, actor, idempotencyKey: key() };
    const answers = await Promise.all([1, 2, 3, 4].map(() => requestCommand(deps, order)));
    expect(new Set(answers.map(({ id }) => id)).size).toBe(1);
    await sleep(0);
    const payloads = new Set(deps.published.map(({ message }) => message.data.toString()));
    expect(payloads.size).toBe(1);
  });

  test('the same key for something else is a conflict', async () => {
    const actor = await tokenActor('responder');
    const idempotencyKey = key();
    await requestCommand(deps, { ...RESTART, actor, idempotencyKey });
    const other = requestCommand(deps, { ...RESTART, params: { service: 'nginx' }, actor, idempotencyKey });
    await expect(other).rejects.toMatchObject({ code: 'conflict' });
  });

  test("one token's key is not another's", async () => {
    const idempotencyKey = key();
    const first = await requestCommand(deps, {
      ...RESTART,
      actor: await tokenActor('responder'),
      idempotencyKey,
    });
    const second = await requestCommand(deps, {
      ...RESTART,
      actor: await tokenActor('responder'),
      idempotencyKey,
    });
    expect(second.id).not.toBe(first.id);
  });
});

test('text that PostgreSQL can’t hold does not break a command', async () => {
  const actor = await tokenActor('viewer');
  const asked = requestCommand(deps, {
    operation: 'service.status',
    params: { service: 'web\u0000' },
    actor,
    dryRun: false,
  });
  await expect(asked).rejects.toMatchObject({ code: 'invalid-input' });
});

test('the whole trail of this file is one unbroken chain', async () => {
  expect(await verifyAuditChain(database.db)).toMatchObject({ intact: true });
});
