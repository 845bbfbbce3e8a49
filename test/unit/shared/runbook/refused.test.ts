// Runbooks that match the schema and could never work. Each fault names the line, the path and a right value.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { CATALOGUE } from '#shared/operations/catalogue.ts';
import { MAX_FAULTS, parseRunbook, type RunbookError } from '#shared/runbook/parse.ts';

const DEMO = readFileSync(join(import.meta.dirname, '../../../../local/demo/runbook.yaml'), 'utf8');

function errorsOf(text: string): RunbookError[] {
  const parsed = parseRunbook(text, CATALOGUE);
  return parsed.ok ? [] : parsed.errors;
}
/** The demo with one text replaced. */
function changed(from: string, to: string): string {
  expect(DEMO).toContain(from);
  return DEMO.replace(from, to);
}

const HOOK = 'operation: service.restart\n    choose:\n      service: [web, orchestrator]';
const address = (text: string): [string, string] => ['address: 203.0.113.10', `address: ${text}`];

describe('a value that can never work', () => {
  const table: [string, [string, string], Partial<RunbookError>][] = [
    ...['0 2 31 2 *', '0 2 30 2 *', '0 2 31 4,6,9,11 *'].map(
      (cron): [string, [string, string], Partial<RunbookError>] => [
        `the schedule ${cron}`,
        ['"0 2 * * *"', `"${cron}"`],
        { path: 'backup.schedule', message: `the schedule "${cron}" never comes: no month has this day` },
      ],
    ),
    [
      'a misspelt placeholder',
      ['{address}/api', '{adress}/api'],
      {
        path: 'checks.engines-api.http.url',
        message: 'unknown placeholder "{adress}"',
        hint: 'Did you mean "{address}"?',
      },
    ],
    [
      'another placeholder',
      ['{address}/api', '{address}:{service_port_number}/api'],
      { path: 'checks.engines-api.http.url', message: 'unknown placeholder "{service_port_number}"' },
    ],
    [
      'a URL that is none',
      ['http://{address}/api/engines', 'http://{address}:99999/'],
      { path: 'checks.engines-api.http.url', hint: 'Write a URL such as "http://{address}:8080/health".' },
    ],
    [
      'a path over all elements',
      ['engines[0].id', 'engines[*].id'],
      { path: 'checks.engines-api.http.jsonPath', hint: 'Name one element instead of all: "engines[0].id".' },
    ],
    [
      'a path with an open bracket',
      ['engines[0].id', 'engines[0'],
      { path: 'checks.engines-api.http.jsonPath', hint: 'The last bracket is not closed: "engines[0]".' },
    ],
    ['a path with two dots', ['engines[0].id', 'engines..id'], { path: 'checks.engines-api.http.jsonPath' }],
    [
      'a URL as an address',
      address('https://web.example.com/'),
      { path: 'hosts.web-1.address', hint: expect.stringContaining('"web.example.com"') as string },
    ],
    [
      'an address with a port',
      address('web.example.com:8080'),
      { path: 'hosts.web-1.address', hint: expect.stringContaining('"web.example.com"') as string },
    ],
    ['an address with a space inside', address('web 1.example.com'), { path: 'hosts.web-1.address' }],
    [
      'an address with a space after it',
      address('"203.0.113.10 "'),
      { path: 'hosts.web-1.address', hint: expect.stringContaining('"203.0.113.10"') as string },
    ],
    [
      'an address in brackets',
      address('"[2001:db8::1]"'),
      { path: 'hosts.web-1.address', hint: 'Write it without brackets: "2001:db8::1".' },
    ],
    ['an address of five numbers', address('1.2.3.4.5'), { path: 'hosts.web-1.address' }],
    ['an address beyond 255', address('300.1.1.1'), { path: 'hosts.web-1.address' }],
  ];
  test.each(table)('is refused: %s', (_name, [from, to], expected) => {
    const text = changed(from, to);
    const [error, ...others] = errorsOf(text);
    expect(error).toMatchObject(expected);
    expect(error?.hint).toMatch(/[.?]$/);
    expect(others).toEqual([]);
    const line = text.split('\n').findIndex((candidate, i) => candidate !== DEMO.split('\n')[i]) + 1;
    expect(error?.line).toBe(line);
  });

  test.each([
    ['a schedule of leap days', '"0 2 * * *"', '"0 2 29 2 *"'],
    ['an IPv6 address', '203.0.113.10', '"2001:db8::1"'],
    ['a name in the local network', '203.0.113.10', 'localhost'],
    ['a name with an underscore', '203.0.113.10', 'web_1.internal.'],
    ['a URL with its own host', 'http://{address}/api', 'https://www.example.com:8443/api'],
    ['a URL with an IPv6 literal', 'http://{address}/api', 'http://[::1]:8080/api'],
    ['a path with a quoted name', 'engines[0].id', 'engines[0]["a key"]'],
  ])('is not mistaken for %s', (_name, from, to) => {
    expect(errorsOf(changed(from, to))).toEqual([]);
  });
});

describe('a webhook that could never be called, or must not exist', () => {
  const table: [string, string, Partial<RunbookError>][] = [
    [
      'without a parameter of its operation',
      'operation: service.restart',
      { path: 'webhooks.restart-service', message: 'service.restart needs the parameter "service"' },
    ],
    [
      'that offers a service that is none',
      'operation: service.restart\n    choose: { service: [web, wob] }',
      { path: 'webhooks.restart-service.choose.service[1]', hint: 'Did you mean "web"?' },
    ],
    [
      'that is bound to a service that is none',
      'operation: service.restart\n    params: { service: wob }',
      { path: 'webhooks.restart-service.params.service', hint: 'Did you mean "web"?' },
    ],
    [
      'with a parameter that the operation lacks',
      `${HOOK}\n    params: { force: true }`,
      { path: 'webhooks.restart-service.params.force', message: 'service.restart has no parameter "force"' },
    ],
    [
      'with a value of another form',
      'operation: service.logs\n    choose: { service: [web], lines: [50, 99999] }',
      {
        path: 'webhooks.restart-service.choose.lines[1]',
        message: '"99999" does not fit: it must be at most 2000',
      },
    ],
    [
      'whose role may not ask',
      'operation: service.stop\n    choose: { service: [web] }',
      { path: 'webhooks.restart-service.role', hint: 'Write "role: operator", or choose another operation.' },
    ],
    [
      'for an internal operation',
      'operation: alert.append',
      {
        path: 'webhooks.restart-service.operation',
        message: expect.stringContaining('only the control plane') as string,
      },
    ],
    [
      'for a destructive operation, whatever its role',
      'operation: restore.run\n    params: { backup: 20261123T020000Z-1f3a9c, confirm: analytics }',
      {
        path: 'webhooks.restart-service.operation',
        message: expect.stringContaining('destructive') as string,
      },
    ],
    ['for a prototype', 'operation: constructor', { message: 'unknown operation "constructor"' }],
    [
      'for a service named like a prototype',
      'operation: service.restart\n    choose: { service: [constructor] }',
      { path: 'webhooks.restart-service.choose.service[0]' },
    ],
  ];
  test.each(table)('%s is refused', (_name, to, expected) => {
    expect(errorsOf(changed(HOOK, to))).toEqual([expect.objectContaining(expected)]);
  });
});

test('an umbrella unit is a warning that names the unit that counts, and refuses nothing', () => {
  const parsed = parseRunbook(changed('postgresql@15-main.service', 'postgresql.service'), CATALOGUE);
  expect(parsed.ok && parsed.warnings).toMatchObject([
    { path: 'services.postgres.unit', hint: expect.stringContaining('postgresql@15-main.service') as string },
  ]);
  const clean = parseRunbook(DEMO, CATALOGUE);
  expect(clean.ok && clean.warnings).toEqual([]);
});

describe('of several forms, the one whose key is there was meant', () => {
  const HEALTH = '{ port: 8080, path: /api/engines, status: 200 }';
  test.each([
    [
      'two faults inside health.http',
      HEALTH,
      '{ port: 808080, path: api }',
      [
        'services.web.health.http.path: a path begins with /',
        'services.web.health.http.port: it must be at most 65535',
      ],
    ],
    [
      'a misspelt key and a missing one',
      HEALTH,
      '{ port: 8080, pth: /api }',
      ['services.web.health.http.path: it is missing', 'services.web.health.http.pth: unknown key "pth"'],
    ],
    [
      'a misspelt form',
      '    health:\n      http:',
      '    health:\n      htpp:',
      ['services.web.health.htpp: unknown key "htpp"', 'services.web.health.http: it is missing'],
    ],
    [
      'two forms at once',
      'http: { port: 8080,',
      'tcp: { port: 1 }\n      http: { port: 8080,',
      ['services.web.health.tcp: key "tcp" does not go together with the other keys here'],
    ],
    [
      'faults of a check',
      'url: http://{address}/api/engines\n      status: 200',
      'url: ftp://x\n      status: ok',
      [
        'checks.engines-api.http.status: it must be a number',
        'checks.engines-api.http.url: a URL begins with http:// or https://',
      ],
    ],
    [
      'a scalar',
      'health: { activeForMs: 2000 }',
      'health: yes',
      ['services.orchestrator.health: it must be a mapping'],
    ],
    [
      'an unknown kind',
      'kind: email',
      'kind: pager',
      ['channels.on-call.kind: a channel is a mapping with the kind email or jsonl'],
    ],
  ])('%s', (_name, from, to, expected) => {
    const told = errorsOf(changed(from, to)).map(({ path, message }) => `${path}: ${message}`);
    expect(told.toSorted()).toEqual(expected);
  });
});

describe('a hostile runbook gets a short answer', () => {
  const head = 'version: 1\nname: x\nhosts: { web-1: { address: 192.0.2.1 } }\n';
  const many = (count: number, line: (i: number) => string): string =>
    Array.from({ length: count }, (_, i) => line(i)).join('\n');
  test.each([
    ['a mebibyte of unknown keys', many(90_000, (i) => `key${i}: 1`)],
    ['thousands of unknown keys', head + many(5000, (i) => `key-number-${i}: 1`)],
    [
      'thousands of unknown names beside thousands of known ones',
      `${head}services:\n${many(1500, (i) => `  s${i}: { host: web-${i}, unit: app.service }`)}\nrestore: { services: [${many(1500, (i) => `t${i},`)}] }`,
    ],
    ['a key of half a mebibyte', `${head}${'k'.repeat(500_000)}: 1`],
    ['a name of half a mebibyte', `${head}restore: { services: [${'n'.repeat(500_000)}] }`],
    [
      'thousands of faults in forms',
      `${head}services:\n${many(2000, (i) => `  s${i}: { host: web-1, unit: a.service, health: { a: 1, b: 2 } }`)}`,
    ],
    ['the same key again and again', `${head}${many(5000, () => 'a: 1')}`],
    ['a million brackets', '['.repeat(1_000_000)],
  ])('%s', (_name, text) => {
    const errors = errorsOf(text);
    expect(errors.length).toBeGreaterThan(0);
    expect(errors.length).toBeLessThanOrEqual(MAX_FAULTS);
    expect(JSON.stringify(errors).length).toBeLessThan(64 * 1024);
  });
});

test.each(['hosts', 'services', 'checks', 'channels', 'webhooks'])(
  '%s has no entry named __proto__',
  (section) => {
    const text = DEMO.replace(`\n${section}:\n`, `\n${section}:\n  __proto__: { a: 1 }\n`);
    expect(errorsOf(text)).toContainEqual(expect.objectContaining({ path: `${section}.__proto__` }));
  },
);

test('a service may bear a name that every object has', () => {
  expect(errorsOf(DEMO.replaceAll('intake', 'constructor'))).toEqual([]);
});
