import { generateKeyPairSync } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { apiRoutes, handleApi } from '#functions/api/handler.ts';
import { recordReport } from '#functions/command/record-report.ts';
import { listAudit } from '#functions/store/audit.ts';
import { listHostKeys } from '#functions/store/hosts.ts';
import { type CommandListener, createCommandListener } from '#functions/store/listen.ts';
import { createToken, revokeToken } from '#functions/store/tokens.ts';
import { publicRoutes } from '#functions/webhook/routes.ts';
import { ROUTES } from '#shared/api/routes.ts';
import { RunbookVersionView } from '#shared/api/runbook-views.ts';
import { AuditView, CommandDetail, CommandView, OperationView, Problem } from '#shared/api/views.ts';
import { Report } from '#shared/command/report.ts';
import { OPERATION_NAMES } from '#shared/operations/catalogue.ts';
import type { Role } from '#shared/role.ts';
import {
  applyTestRunbook,
  DEMO_RUNBOOK,
  enrolTestHost,
  type HostKeys,
  pushedReport,
} from '#test/fixtures/control-plane.ts';
import { createTestDeps, makeKey, type TestDeps } from '#test/fixtures/deps.ts';
import { signedEnrolment } from '#test/fixtures/enrolment.ts';
import { type FunctionServer, serveHandler } from '#test/fixtures/function-server.ts';
import { createTestDatabase, type TestDatabase } from '#test/fixtures/postgres.ts';

let database: TestDatabase;
let deps: TestDeps;
let listener: CommandListener;
let server: FunctionServer;
let keys: HostKeys;
const tokens = new Map<Role, string>();

beforeAll(async () => {
  database = await createTestDatabase();
  deps = createTestDeps(database.db);
  listener = createCommandListener(database.db);
  server = await serveHandler(handleApi(deps, listener));
  await applyTestRunbook(database.db);
  keys = await enrolTestHost(database.db, 'web-1');
  for (const role of ['viewer', 'responder', 'operator', 'admin'] as const) {
    tokens.set(role, await createToken(database.db, { name: role, role }));
  }
});
afterAll(async () => {
  await server.close();
  await listener.close();
  await database.drop();
});

interface Call {
  role?: Role;
  token?: string | undefined;
  body?: string;
  type?: string;
}

async function call(
  method: string,
  path: string,
  { role, token = role && tokens.get(role), body, type }: Call = {},
) {
  const response = await fetch(new URL(path, server.url), {
    method,
    headers: {
      ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
      ...(body === undefined ? {} : { 'content-type': type ?? 'application/json' }),
    },
    ...(body === undefined ? {} : { body }),
  });
  const text = await response.text();
  const isJson = response.headers.get('content-type')?.includes('json') ?? false;
  const answer: unknown = isJson && text !== '' ? JSON.parse(text) : text;
  return { status: response.status, headers: response.headers, answer };
}

function ask(role: Role, order: Record<string, unknown>) {
  return call('POST', '/v1/commands', { role, body: JSON.stringify(order) });
}

describe('without a token', () => {
  test('every route but the public ones answers 401, and so does a path that is none', async () => {
    const routes = apiRoutes(deps, listener);
    expect(routes.length).toBeGreaterThanOrEqual(10);
    const paths = routes.flatMap(({ route: { method, path, alias } }) =>
      [path, alias].filter((each) => each !== undefined).map((each) => ({ method, path: each })),
    );
    for (const { method, path } of [...paths, { method: 'GET', path: '/v1/nothing' }]) {
      const answer = await call(method, path.replaceAll(/:\w+/g, 'x'));
      expect(`${method} ${path} ${answer.status}`).toBe(`${method} ${path} 401`);
      expect(Problem.parse(answer.answer).code).toBe('unauthenticated');
    }
  });

  test('the public routes are these two and no others', () => {
    expect(publicRoutes(deps).map(({ route }) => `${route.method} ${route.path}`)).toEqual([
      'GET /v1/health',
      'POST /v1/webhooks/:name',
    ]);
  });

  test('every route of the table is answered, once', () => {
    const served = [...apiRoutes(deps, listener), ...publicRoutes(deps)].map(({ route }) => route);
    expect(new Set(served)).toEqual(new Set(Object.values(ROUTES)));
    expect(served).toHaveLength(Object.keys(ROUTES).length);
    const publicOnes = Object.values(ROUTES).filter(({ role }) => role === 'public');
    expect(publicRoutes(deps).map(({ route }) => route)).toEqual(publicOnes);
  });

  test('health answers', async () => {
    expect(await call('GET', '/v1/health')).toMatchObject({ status: 200, answer: { ok: true } });
  });
});

describe('with a bad token', () => {
  const table: [string, () => string | Promise<string>][] = [
    ['unknown', () => `lamp_${'A'.repeat(43)}`],
    ['malformed', () => "x' OR true --"],
    [
      'revoked',
      async () => {
        const token = await createToken(database.db, { name: 'gone', role: 'admin' });
        await revokeToken(database.db, 'gone');
        return token;
      },
    ],
  ];
  test.each(table)('%s: 401', async (_name, token) => {
    const answer = await call('GET', '/v1/operations', { token: await token() });
    expect(answer.status).toBe(401);
    expect(answer.headers.get('www-authenticate')).toBe('Bearer');
  });
});

describe('roles', () => {
  const pem = generateKeyPairSync('ed25519').publicKey.export({ type: 'spki', format: 'pem' }).toString();
  const table: [string, string, Role, string][] = [
    ['PUT', '/v1/runbook', 'operator', DEMO_RUNBOOK],
    ['PUT', '/v1/hosts/web-9', 'operator', JSON.stringify({ agentKeys: [pem], runnerKeys: [pem] })],
    ['GET', '/v1/audit', 'responder', ''],
    ['GET', '/api/monitoring/audit', 'responder', ''],
  ];
  test.each(table)(
    '%s %s is refused to %s and the denial is written down',
    async (method, path, role, body) => {
      const answer = await call(method, path, { role, ...(body === '' ? {} : { body, type: 'text/yaml' }) });
      expect(answer).toMatchObject({ status: 403, answer: { code: 'not-allowed' } });
      const [denial] = await listAudit(database.db, { action: 'rbac_denied', limit: 1 });
      expect(denial?.actor).toBe(`token:${role}`);
    },
  );
});

test('answers carry the security headers', async () => {
  const { headers } = await call('GET', '/v1/operations', { role: 'viewer' });
  expect(headers.get('x-content-type-options')).toBe('nosniff');
  expect(headers.get('cache-control')).toBe('no-store');
  expect(headers.get('access-control-allow-origin')).toBeNull();
});

test('the catalogue is all operations that may be asked for, with the schema of their parameters', async () => {
  const { answer } = await call('GET', '/v1/operations', { role: 'viewer' });
  const operations = OperationView.array().parse(answer);
  expect(operations.map(({ name }) => name)).toEqual(
    OPERATION_NAMES.filter((name) => name !== 'alert.append' && name !== 'service.follow'),
  );
  expect(operations.find(({ name }) => name === 'service.logs')?.params).toMatchObject({
    type: 'object',
    required: ['service'],
  });
});

describe('commands', () => {
  test.each([
    ['service.follow', { service: 'web', ticket: 'A'.repeat(43), relayUrl: 'ws://127.0.0.1:8080/reset' }],
    ['alert.append', { channel: 'log', alert: {} }],
  ])('nobody asks for %s but the control plane itself', async (operation, params) => {
    expect(await ask('admin', { operation, params })).toMatchObject({
      status: 403,
      answer: { detail: expect.stringContaining('only the control plane is allowed to') },
    });
  });

  test('one is asked for, listed and read', async () => {
    const asked = await ask('responder', { operation: 'service.restart', params: { service: 'web' } });
    expect(asked).toMatchObject({ status: 202, answer: { host: 'web-1' } });
    const { id } = CommandView.unwrap().pick({ id: true }).parse(asked.answer);
    const { answer } = await call('GET', '/v1/commands?limit=1', { role: 'viewer' });
    expect(CommandView.array().parse(answer)[0]).toMatchObject({
      id,
      state: 'sent',
      params: { service: 'web' },
    });
    const detail = CommandDetail.parse((await call('GET', `/v1/commands/${id}`, { role: 'viewer' })).answer);
    expect(detail.events.map(({ state }) => state)).toEqual(['requested', 'sent']);
    expect((await call('GET', `/v1/commands/${id}?after=2`, { role: 'viewer' })).answer).toMatchObject({
      events: [],
    });
  });

  // By the clock it would come after this test's time.
  test('a waiting reader is woken by the report, not by the clock', { timeout: 15_000 }, async () => {
    const asked = await ask('viewer', { operation: 'service.status', params: { service: 'web' } });
    const { id } = CommandView.unwrap().pick({ id: true }).parse(asked.answer);
    await call('GET', `/v1/commands/${id}?after=2&waitS=0.2`, { role: 'viewer' });
    const waiting = call('GET', `/v1/commands/${id}?after=2&waitS=25`, { role: 'viewer' });
    await new Promise((resolve) => setTimeout(resolve, 100));
    const report = Report.parse({
      v: 1,
      id: crypto.randomUUID(),
      host: 'web-1',
      at: deps.now.toISOString(),
      type: 'command.finished',
      commandId: id,
      state: 'succeeded',
      message: 'woken',
      steps: [],
    });
    await recordReport(deps, await pushedReport(report, keys.agent));
    const { command } = CommandDetail.parse((await waiting).answer);
    expect(command).toMatchObject({ state: 'succeeded', message: 'woken' });
  });

  test('a wait that nothing comes to ends by itself', async () => {
    const asked = await ask('viewer', { operation: 'service.status', params: { service: 'web' } });
    const { id } = CommandView.unwrap().pick({ id: true }).parse(asked.answer);
    const { answer } = await call('GET', `/v1/commands/${id}?after=2&waitS=0.3`, { role: 'viewer' });
    expect(answer).toMatchObject({ command: { state: 'sent' }, events: [] });
  });

  const bad: [string, Record<string, unknown>, number, RegExp][] = [
    ['a misspelt operation', { operation: 'service.restrat' }, 404, /service\.restart/],
    [
      'a misspelt service',
      { operation: 'service.restart', params: { service: 'wbe' } },
      404,
      /Did you mean .{1,3}web/,
    ],
    [
      'a parameter too many',
      { operation: 'service.restart', params: { service: 'web', now: 1 } },
      400,
      /now/,
    ],
    ['a missing parameter', { operation: 'service.restart' }, 400, /service: it is missing/],
    ['a field too many', { operation: 'service.restart', host: 'web-2' }, 400, /host/],
    [
      'a wrong confirmation',
      { operation: 'restore.run', params: { backup: '20261123T020000Z-1f3a9c', confirm: 'prod' } },
      400,
      /analytics/,
    ],
  ];
  test.each(bad)('%s is told', async (_name, order, status, text) => {
    const answer = await ask('operator', order);
    expect(answer.status).toBe(status);
    expect(JSON.stringify(Problem.parse(answer.answer))).toMatch(text);
  });

  test('an unknown id is 404, and what is no id 400', async () => {
    const unknown = '/v1/commands/0197c2aa-0000-7000-8000-00000000dead';
    expect((await call('GET', unknown, { role: 'viewer' })).status).toBe(404);
    expect((await call('GET', '/v1/commands/17', { role: 'viewer' })).status).toBe(400);
    expect((await call('GET', '/v1/commands/%E0%A4%A', { role: 'viewer' })).status).toBe(400);
  });
});

test('a wrong method and a body that is too large are told', async () => {
  expect((await call('POST', '/v1/audit', { role: 'viewer', body: '{}' })).status).toBe(405);
  const body = 'x'.repeat(2 * 1024 * 1024);
  expect((await call('PUT', '/v1/runbook', { role: 'admin', body, type: 'text/yaml' })).status).toBe(413);
});

describe('the runbook', () => {
  test('a faulty one is refused whole, each fault with its place', async () => {
    const body = DEMO_RUNBOOK.replace('    unit: app-web.service', '    unti: app-web.service');
    const answer = await call('PUT', '/v1/runbook', { role: 'admin', body, type: 'text/yaml' });
    expect(answer.status).toBe(422);
    expect(Problem.parse(answer.answer).errors).toContainEqual(
      expect.objectContaining({ path: 'services.web.unti', hint: 'Did you mean "unit"?' }),
    );
  });

  test('a dry run changes nothing and takes no role', async () => {
    const body = DEMO_RUNBOOK.replace('engines platform', 'another');
    const answer = await call('PUT', '/v1/runbook?dryRun=1', { role: 'viewer', body, type: 'text/yaml' });
    expect(answer).toMatchObject({ status: 200, answer: { valid: true } });
    const current = await call('GET', '/v1/runbook', { role: 'viewer' });
    expect(RunbookVersionView.parse(current.answer).text).toBe(DEMO_RUNBOOK);
  });

  test('is to be had as the file that it was, behind the same headers', async () => {
    const { status, headers, answer } = await call('GET', '/v1/runbook.yaml', { role: 'viewer' });
    expect({ status, type: headers.get('content-type'), answer }).toEqual({
      status: 200,
      type: 'text/yaml',
      answer: DEMO_RUNBOOK,
    });
    expect(headers.get('content-security-policy')).toContain("default-src 'none'");
    expect(headers.get('x-content-type-options')).toBe('nosniff');
  });

  test('applied it is the next version, once', async () => {
    const body = DEMO_RUNBOOK.replace('engines platform', 'engines');
    const put = () => call('PUT', '/v1/runbook', { role: 'admin', body, type: 'text/yaml' });
    const first = RunbookVersionView.parse((await put()).answer);
    const second = RunbookVersionView.parse((await put()).answer);
    expect(first).toMatchObject({ version: 2, appliedBy: 'admin', text: body });
    expect(second.version).toBe(2);
    const stored = await database.db.query('SELECT document FROM runbook_versions WHERE version = 2');
    expect(stored.rows).toEqual([{ document: expect.stringContaining('engines') }]);
    expect(await listAudit(database.db, { action: 'runbook.applied', limit: 5 })).toHaveLength(1);
  });
});

describe('enrolment', () => {
  const enrol = (document: unknown, name = 'web-5') =>
    call('PUT', `/v1/hosts/${name}`, { role: 'admin', body: JSON.stringify(document) });
  const enrolled = () => listAudit(database.db, { action: 'host.enrolled', limit: 50 });

  test('takes the keys that a host proves and writes it down; the same document again changes nothing', async () => {
    const document = await signedEnrolment('web-5');
    for (const _time of [1, 2]) {
      expect(await enrol(document)).toMatchObject({ status: 200, answer: { host: 'web-5' } });
    }
    const { answer: trail } = await call('GET', '/v1/audit?action=host.enrolled', { role: 'operator' });
    expect(AuditView.array().parse(trail)[0]).toMatchObject({ actor: 'token:admin', target: 'web-5' });
    const keys = await listHostKeys(database.db, 'web-5', 'runner');
    expect(keys.map(({ keyId, retiredAt }) => ({ keyId, retiredAt }))).toEqual([
      { keyId: document.signatures[1]?.keyid, retiredAt: null },
    ]);
  });

  test.each<[string, () => unknown]>([
    ['keys without a proof', () => ({ agentKeys: [makeKey().publicPem], runnerKeys: [makeKey().publicPem] })],
    ["another host's document", () => signedEnrolment('web-6')],
    [
      'a document that one of its keys did not sign',
      async () => {
        const document = await signedEnrolment('web-5');
        return { ...document, signatures: document.signatures.slice(0, 1) };
      },
    ],
  ])('refuses %s, and stores nothing', async (_name, make) => {
    const before = await listHostKeys(database.db, 'web-5', 'agent');
    const count = (await enrolled()).length;
    expect(await enrol(await make())).toMatchObject({ status: 400 });
    expect(await listHostKeys(database.db, 'web-5', 'agent')).toEqual(before);
    expect(await enrolled()).toHaveLength(count);
  });

  test('refuses an old document whose keys were retired meanwhile, says what to do, and changes nothing', async () => {
    const old = await signedEnrolment('web-5');
    await enrol(old);
    const current = await signedEnrolment('web-5');
    expect(await enrol(current)).toMatchObject({ status: 200 });
    const count = (await enrolled()).length;
    expect(await enrol(old)).toMatchObject({
      status: 422,
      answer: {
        detail: expect.stringMatching(
          /^enrol host web-5: agent key .* was retired at .*, when other keys were enrolled$/,
        ),
        hint: expect.stringContaining('former-runner-keys'),
      },
    });
    const keys = await listHostKeys(database.db, 'web-5', 'runner');
    expect(keys.filter(({ retiredAt }) => retiredAt === null).map(({ keyId }) => keyId)).toEqual([
      current.signatures[1]?.keyid,
    ]);
    expect(await enrolled()).toHaveLength(count);
  });

  test('refuses a name that is none', async () => {
    expect((await enrol(await signedEnrolment('web-5'), '-x')).status).toBe(400);
  });
});

test('what goes wrong inside is not told outside', async () => {
  const broken = createTestDeps({ ...database.db, query: () => Promise.reject(new Error('secret detail')) });
  const other = await serveHandler(handleApi(broken, listener));
  try {
    const response = await fetch(`${other.url}/v1/operations`, {
      headers: { authorization: `Bearer ${tokens.get('viewer')}` },
    });
    expect(response.status).toBe(500);
    expect(await response.text()).not.toContain('secret detail');
    expect(broken.logged).toMatchObject([{ severity: 'ERROR', error: 'secret detail' }]);
  } finally {
    await other.close();
  }
});

test('no token is in the log', () => {
  const text = JSON.stringify(deps.logged);
  expect(deps.logged.length).toBeGreaterThan(10);
  for (const token of tokens.values()) expect(text).not.toContain(token);
});
