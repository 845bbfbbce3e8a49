import { afterAll, beforeAll, expect, test } from 'vitest';
import { judgeAuthority } from '#functions/command/authority.ts';
import { requestCommand } from '#functions/command/request.ts';
import { findCommand } from '#functions/store/commands.ts';
import { requireRunbook } from '#functions/store/runbooks.ts';
import type { OperationDefinition } from '#shared/operations/definition.ts';
import { serviceRestart } from '#shared/operations/service.ts';
import { applyTestRunbook, DEMO_RUNBOOK } from '#test/fixtures/control-plane.ts';
import { createTestDeps, type TestDeps } from '#test/fixtures/deps.ts';
import { createTestDatabase, type TestDatabase } from '#test/fixtures/postgres.ts';

// The unit of the service `web`, and an operation with a default.
const WEBHOOKS = `
  logs:
    operation: service.logs
    params: {service: app-web.service}
    role: responder
    secret: logs-hook
  some-logs:
    operation: service.logs
    choose: {service: [app-orchestrator.service, app-web.service]}
    role: responder
    secret: some-logs-hook
`;

let database: TestDatabase;
let deps: TestDeps;
beforeAll(async () => {
  database = await createTestDatabase();
  deps = createTestDeps(database.db);
  await applyTestRunbook(database.db, DEMO_RUNBOOK.replace(/^webhooks:$/m, `webhooks:${WEBHOOKS}`));
});
afterAll(() => database.drop());

test.each([
  ['logs', { service: 'app-web.service' }],
  ['some-logs', { service: 'app-web.service' }],
])('webhook %s, which gives a unit and leaves a default, has its command signed', async (name, params) => {
  const { id } = await requestCommand(deps, {
    operation: 'service.logs',
    params,
    actor: { kind: 'webhook', name, role: 'responder' },
    dryRun: false,
  });
  expect(await findCommand(database.db, id)).toMatchObject({ state: 'sent', params: { service: 'web' } });
});

test('a webhook whose service the runbook no longer has is refused, and says why', async () => {
  const { db } = database;
  const { id } = await requestCommand(
    { ...deps, signCommand: () => Promise.resolve() },
    {
      operation: 'service.logs',
      params: { service: 'app-web.service' },
      actor: { kind: 'webhook', name: 'logs', role: 'responder' },
      dryRun: false,
    },
  );
  const other = WEBHOOKS.replace('params: {service: app-web.service}', 'params: {service: nginx}');
  await applyTestRunbook(db, DEMO_RUNBOOK.replace(/^webhooks:$/m, `webhooks:${other}`));
  await deps.signCommand(id);
  expect(await findCommand(db, id)).toMatchObject({
    state: 'rejected',
    message: 'not signed: the webhook does not allow this service',
  });
});

test('a scheduled job that gives a service by its unit may be signed', async () => {
  const job = { name: 'nightly', params: { service: 'app-web.service' } };
  const definition = { ...serviceRestart, jobs: () => [job] } as unknown as OperationDefinition;
  const { runbook } = await requireRunbook(database.db);
  const question = { definition, runbook, host: 'web-1', now: deps.now };
  const actor = { kind: 'schedule' as const, name: 'nightly', role: 'operator' as const };
  expect(await judgeAuthority(database.db, { ...question, actor, params: { service: 'web' } })).toMatchObject(
    {
      allowed: true,
    },
  );
  expect(
    await judgeAuthority(database.db, { ...question, actor, params: { service: 'nginx' } }),
  ).toMatchObject({ allowed: false });
});
