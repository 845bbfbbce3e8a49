import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { parse } from 'yaml';
import * as z from 'zod';
import { CATALOGUE, findOperation, OPERATION_NAMES } from '#shared/operations/catalogue.ts';
import { isOffered, mayAsk } from '#shared/operations/definition.ts';
import { Policy } from '#shared/policy/policy.ts';
import { isRoleAtLeast, Risk, Role, roleNeededFor } from '#shared/role.ts';
import { parseRunbook } from '#shared/runbook/parse.ts';

const demo = (file: string) =>
  readFileSync(join(import.meta.dirname, '../../../../local/demo', file), 'utf8');
const parsed = parseRunbook(demo('runbook.yaml'), CATALOGUE);
if (!parsed.ok) throw new Error('the demo runbook has faults');
const { runbook } = parsed;
const policy = Policy.parse({
  ...(parse(demo('policy.yaml')) as object),
  backup: {
    bucket: 'b-b-b',
    localDir: '/opt/app/backups',
    recipients: [`age1${'q'.repeat(58)}`],
    configPaths: [],
  },
});

const ALERT = {
  id: '5b0c1f6e-6f0f-4a57-9d4c-3b3f5a3f5a3f',
  at: '2026-11-23T10:00:00.000Z',
  event: 'firing',
  level: 'INFO',
  severity: 'P4',
  kind: 'check',
  host: 'web-1',
  summary: 's',
};
const WEB = { service: 'web' };
const ISSUED_MS = Date.parse('2026-11-26T02:00:00.000Z');
const COMMAND = '0197c2aa-0000-7000-8000-000000000001';
const TICKET = 'A'.repeat(43);
interface Sample {
  params: Record<string, unknown>;
  locks: string[];
  /** Operations for which it is enough that the policy lists them; it names no unit or database for them. */
  isFree?: true;
  /** A read that makes a role for a moment. */
  makesRole?: true;
}
const SAMPLES: Record<string, Sample> = {
  'service.status': { params: WEB, locks: [] },
  'service.start': { params: WEB, locks: ['unit:app-web.service'] },
  'service.stop': { params: WEB, locks: ['unit:app-web.service'] },
  'service.restart': { params: WEB, locks: ['unit:app-web.service'] },
  'service.reload': { params: { service: 'nginx' }, locks: ['unit:nginx.service'] },
  'service.configtest': { params: { service: 'nginx' }, locks: [] },
  'stack.restart': { params: WEB, locks: ['unit:app-web.service', 'unit:nginx.service'] },
  'service.logs': { params: WEB, locks: [] },
  'service.follow': { params: { ...WEB, ticket: TICKET, relayUrl: 'wss://live.example.com' }, locks: [] },
  'host.vitals': { params: { host: 'web-1' }, locks: [], isFree: true },
  'db.ready': { params: {}, locks: [] },
  'db.connections': { params: {}, locks: [] },
  'db.sessions': { params: { database: 'analytics' }, locks: [] },
  'disk.usage': { params: { path: '/opt/app/logs' }, locks: [] },
  'disk.clean': { params: { what: 'logs' }, locks: ['clean:logs'] },
  'memory.top': { params: {}, locks: [], isFree: true },
  'jobs.stuck': { params: { jobs: 'etl' }, locks: ['jobs-role'], makesRole: true },
  'jobs.reset': { params: { jobs: 'etl' }, locks: ['jobs:etl', 'jobs-role'] },
  'backup.run': { params: {}, locks: ['database:analytics'] },
  'backup.list': { params: {}, locks: [] },
  'restore.run': {
    params: { backup: '20261123T020000Z-1f3a9c', confirm: 'analytics' },
    locks: [
      'database:analytics',
      'restore',
      'unit:app-intake.service',
      'unit:app-orchestrator.service',
      'unit:app-web.service',
    ],
  },
  'restore.kept': { params: {}, locks: [] },
  'restore.forget': {
    params: { name: 'analytics_before_1f3a9c', confirm: 'analytics_before_1f3a9c' },
    locks: ['database:analytics'],
  },
  'command.cancel': {
    params: { command: COMMAND, host: 'web-1' },
    locks: [`cancel:${COMMAND}`],
    isFree: true,
  },
  'deploy.run': {
    params: { deployment: 'engines', ref: 'v1.4.0' },
    locks: [
      'deploy:engines',
      'database:analytics',
      'unit:app-web.service',
      'unit:app-orchestrator.service',
      'unit:app-intake.service',
    ],
  },
  'alert.append': {
    params: { channel: 'host-log', alert: ALERT },
    locks: ['file:/opt/app/logs/alerts.jsonl'],
  },
};

test('every operation has a sample here, and a name of its own', () => {
  expect(Object.keys(SAMPLES).toSorted()).toEqual(OPERATION_NAMES.toSorted());
  expect(new Set(OPERATION_NAMES).size).toBe(OPERATION_NAMES.length);
});

describe.each(CATALOGUE)('$name', (operation) => {
  const sample = SAMPLES[operation.name]!;
  const resolve = () => operation.resolve(operation.params.parse(sample.params), { runbook });

  test('resolves the demo’s names to a spec that its own schema takes, and that the demo’s policy allows', () => {
    const { host, spec } = resolve();
    expect(host).toBe('web-1');
    expect(operation.spec.parse(JSON.parse(JSON.stringify(spec)))).toEqual(spec);
    expect(policy.operations).toContain(operation.name);
    expect(operation.permit(spec, policy, ISSUED_MS)).toEqual({ allowed: true });
    expect(operation.locks?.(spec) ?? []).toEqual(sample.locks);
  });

  test('takes no parameter too many', () => {
    expect(operation.params.safeParse({ ...sample.params, extra: 1 }).success).toBe(false);
  });

  test('says what each parameter is, for help and forms', () => {
    const schema = z.toJSONSchema(operation.params, { io: 'input', unrepresentable: 'any' });
    for (const property of Object.values(schema.properties ?? {})) {
      if (isOffered(operation)) expect(property).toHaveProperty('description');
    }
  });

  test('is locked exactly when it changes something on the host', () => {
    expect((operation.locks?.(resolve().spec) ?? []).length > 0).toBe(
      operation.risk !== 'read' || sample.makesRole === true,
    );
  });

  test('is refused by a policy that does not name what it is about', () => {
    const bare = Policy.parse({ version: 1, host: 'web-1', operations: [], units: {} });
    expect(operation.permit(resolve().spec, bare, ISSUED_MS).allowed).toBe(sample.isFree === true);
  });
});

describe('the policy’s answer says which kind of no it is', () => {
  const restart = findOperation('service.restart');
  const spec = (unit: string) => restart.spec.parse({ unit, health: { activeForMs: 1000 } });
  test.each([
    ['ssh.service', 'unknown-unit'],
    ['postgresql@15-main.service', undefined],
  ])('restart of %s', (unit, code) => {
    const verdict = restart.permit(spec(unit), policy, ISSUED_MS);
    expect(verdict.allowed ? undefined : verdict.code).toBe(code);
  });

  test('stop of a unit that may only be restarted', () => {
    const verdict = findOperation('service.stop').permit(
      spec('postgresql@15-main.service'),
      policy,
      ISSUED_MS,
    );
    expect(verdict).toMatchObject({
      allowed: false,
      code: 'not-in-policy',
      hint: 'Root of the host can allow it: add stop to the list of postgresql@15-main.service under "units:" in /etc/lamplighter/policy.yaml.',
    });
  });
});

describe('a signed command alone decides nothing of this', () => {
  const permit = (
    name: string,
    params: Record<string, unknown>,
    change: (spec: never) => object,
    terms = policy,
  ) => {
    const operation = findOperation(name);
    const { spec } = operation.resolve(operation.params.parse(params), { runbook });
    const changed = operation.spec.parse({ ...(spec as object), ...change(spec as never) });
    return operation.permit(changed, terms, ISSUED_MS);
  };
  const health = (check: object) => () => ({ health: { ...check, withinMs: 30_000 } });

  test.each([
    ['the listed path', { http: { port: 8080, path: '/api/engines', status: 200 } }, true],
    ['another path of that port', { http: { port: 8080, path: '/admin/drop', status: 200 } }, false],
    ['that path with a query', { http: { port: 8080, path: '/api/engines?drop=1', status: 200 } }, false],
    ['another port', { http: { port: 9200, path: '/api/engines', status: 200 } }, false],
    ['a listed port', { tcp: { port: 5432 } }, true],
    ['a port that is not listed', { tcp: { port: 22 } }, false],
  ])('what a health check asks: %s', (_name, check, allowed) => {
    expect(permit('service.restart', WEB, health(check)).allowed).toBe(allowed);
    const services = [{ service: 'web', unit: 'app-web.service', ...health(check)() }];
    const restore = { backup: '20261123T020000Z-1f3a9c', confirm: 'analytics' };
    expect(permit('restore.run', restore, () => ({ services })).allowed).toBe(allowed);
  });

  test.each([
    ['wss://live.example.com/agent', true],
    ['wss://live.example.com:443/agent', true],
    ['ws://live.example.com/agent', false],
    ['wss://live.example.com:8443/agent', false],
    ['wss://live.example.com.attacker.example/agent', false],
    ['wss://live.example.com@attacker.example/agent', false],
    ['ws://169.254.169.254/', false],
  ])('where the agent dials: %s', (relayUrl, allowed) => {
    const params = { ...WEB, ticket: TICKET, relayUrl: 'wss://live.example.com' };
    expect(permit('service.follow', params, () => ({ relayUrl })).allowed).toBe(allowed);
  });

  test.each([
    ['20261123T020000Z-1f3a9c', true],
    ['20261022T020000Z-1f3a9c', true],
    ['20261022T015959Z-1f3a9c', false],
    ['20250101T000000Z-1f3a9c', false],
  ])('how old a restored backup is: %s', (backup, allowed) => {
    expect(permit('restore.run', { backup, confirm: 'analytics' }, () => ({})).allowed).toBe(allowed);
  });

  test.each([
    [false, false, true],
    [false, true, true],
    [true, true, true],
    [true, false, false],
  ])(
    'whether a dump is encrypted: the policy insists %s, the command says %s',
    (must, encryptDump, allowed) => {
      const strict = Policy.parse({ ...policy, backup: { ...policy.backup, mustEncryptDump: must } });
      const verdict = permit('backup.run', {}, () => ({ encryptDump }), strict);
      expect(verdict).toMatchObject(
        allowed
          ? { allowed }
          : { allowed, code: 'not-in-policy', hint: expect.stringContaining('encryptDump: true') },
      );
    },
  );

  test('a dump is not encrypted unless somebody wants it', () => {
    expect(findOperation('backup.run').resolve({}, { runbook }).spec).toMatchObject({ encryptDump: false });
    const backup = { ...runbook.backup!, encryptDump: true };
    expect(findOperation('backup.run').resolve({}, { runbook: { ...runbook, backup } }).spec).toMatchObject({
      encryptDump: true,
    });
    expect(policy.backup?.mustEncryptDump).toBe(false);
  });

  test('a policy that says nothing of them allows none', () => {
    const bare = Policy.parse({ ...policy, relays: undefined, healthChecks: undefined });
    const params = { ...WEB, ticket: TICKET, relayUrl: 'wss://live.example.com' };
    expect(permit('service.follow', params, () => ({}), bare).allowed).toBe(false);
    expect(permit('service.restart', WEB, () => ({}), bare).allowed).toBe(false);
    expect(permit('service.restart', { service: 'intake' }, () => ({}), bare).allowed).toBe(true);
    expect(bare.backup).toMatchObject({ minLocalRetentionDays: 7, maxRestoreAgeDays: 35 });
  });
});

test.each([
  ['alert.append', ['channel']],
  ['backup.run', ['token', 'webhook', 'schedule']],
  ['restore.forget', ['token']],
  ['restore.run', ['token']],
  ['service.follow', ['token']],
  ['service.logs', ['token', 'webhook']],
] as const)('%s is asked for by %j and nobody else', (name, kinds) => {
  const operation = findOperation(name);
  const all = ['token', 'webhook', 'schedule', 'channel'] as const;
  expect(all.filter((kind) => mayAsk(operation, kind))).toEqual(kinds);
});

test('the API offers neither a stream nor what the control plane asks for itself', () => {
  const hidden = CATALOGUE.filter((operation) => !isOffered(operation)).map(({ name }) => name);
  expect(hidden.toSorted()).toEqual(['alert.append', 'service.follow']);
});

test('a destructive operation takes a person', () => {
  for (const { name, risk, askedBy, jobs } of CATALOGUE) {
    if (risk === 'destructive') expect({ name, askedBy, jobs }).toEqual({ name });
  }
});

test('a misspelt operation gets the near name', () => {
  expect(() => findOperation('service.restrat')).toThrow('no such operation');
  try {
    findOperation('service.restrat');
  } catch (error) {
    expect(error).toMatchObject({ code: 'not-found', hint: 'Did you mean "service.restart"?' });
  }
});

test.each<[Risk, Role]>([
  ['read', 'viewer'],
  ['change', 'responder'],
  ['disruptive', 'operator'],
  ['destructive', 'operator'],
])('%s takes a %s or more', (risk, least) => {
  const may = Role.options.filter((role) => isRoleAtLeast(role, roleNeededFor({ risk })));
  expect(may).toEqual(Role.options.slice(Role.options.indexOf(least)));
});

test.each(['service.logs', 'service.follow'])('%s shows a journal, so a viewer may not ask', (name) => {
  expect(roleNeededFor(findOperation(name))).toBe('responder');
});

test.each(['--now.service', 'a b.service', '../x.service', 'x', 'x@.service', ''])(
  '%j is no unit',
  (unit) => {
    const restart = findOperation('service.restart');
    expect(restart.spec.safeParse({ unit, health: { activeForMs: 1000 } }).success).toBe(false);
  },
);
