import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { CATALOGUE } from '#shared/operations/catalogue.ts';
import { parseRunbook, type RunbookError } from '#shared/runbook/parse.ts';
import { MAX_RUNBOOK_BYTES } from '#shared/runbook/size.ts';

const DEMO = readFileSync(join(import.meta.dirname, '../../../../local/demo/runbook.yaml'), 'utf8');
const SMALL = `version: 1
name: small
hosts:
  web-1:
    address: 192.0.2.1
services:
  web:
    host: web-1
    unit: app-web.service
`;

function errorsOf(text: string): RunbookError[] {
  const parsed = parseRunbook(text, CATALOGUE);
  return parsed.ok ? [] : parsed.errors;
}

test('the demo and the smallest runbook are valid, with their defaults filled in', () => {
  expect(errorsOf(DEMO)).toEqual([]);
  const parsed = parseRunbook(SMALL, CATALOGUE);
  expect(parsed).toMatchObject({
    ok: true,
    runbook: {
      hosts: { 'web-1': { timezone: 'UTC', heartbeatTimeoutS: 90 } },
      services: { web: { health: { activeForMs: 3000 } } },
      severities: { P1: { respondWithinMin: 15, level: 'CRITICAL' } },
    },
  });
});

describe('a fault has its line, its column, its path and what would be right', () => {
  const table: [string, string, RegExp | string, Partial<RunbookError> & { hint?: string }][] = [
    [
      'a misspelt key',
      'unit: app-web.service',
      'unti: app-web.service',
      {
        line: 9,
        column: 5,
        path: 'services.web.unti',
        message: 'unknown key "unti"',
        hint: 'Did you mean "unit"?',
      },
    ],
    [
      'a misspelt section',
      'services:',
      'servces:',
      { line: 6, column: 1, path: 'servces', hint: 'Did you mean "services"?' },
    ],
    [
      'a key nothing like any other',
      'address: 192.0.2.1',
      'address: 192.0.2.1\n    zzzzzzzzzzzz: 1',
      { line: 6, column: 5, hint: 'Known keys here: address, timezone, heartbeatTimeoutS.' },
    ],
    [
      'an unknown host',
      'host: web-1',
      'host: web-2',
      {
        line: 8,
        column: 5,
        path: 'services.web.host',
        message: 'unknown host "web-2"',
        hint: 'Did you mean "web-1"?',
      },
    ],
    ['a unit that is none', 'app-web.service', '--now', { line: 9, column: 5, path: 'services.web.unit' }],
    ['another version', 'version: 1', 'version: 2', { line: 1, column: 1, path: 'version' }],
    [
      'a zone that is none',
      'address: 192.0.2.1',
      'address: 192.0.2.1\n    timezone: Europe/Lundon',
      { line: 6, column: 5, message: 'not an IANA time zone such as Europe/London' },
    ],
    ['a host name that is none', '  web-1:\n', '  Web_1:\n', { line: 4, column: 3, path: 'hosts.Web_1' }],
    ['the same key twice', 'name: small', 'name: small\nname: large', { line: 3, column: 1 }],
    ['no YAML', 'hosts:', 'hosts: [', { hint: 'The file is not valid YAML here.' }],
  ];
  test.each(table)('%s', (_name, from, to, expected) => {
    expect(errorsOf(SMALL.replace(from, String(to)))).toContainEqual(expect.objectContaining(expected));
  });

  const inDemo: [string, string, string, Partial<RunbookError>][] = [
    [
      'a schedule that is none',
      '"0 2 * * *"',
      '"0 25 * * *"',
      {
        path: 'backup.schedule',
        hint: 'Five fields, e.g. "0 2 * * *" for 02:00 every day.',
      },
    ],
    [
      'a misspelt operation of a webhook',
      'operation: service.restart',
      'operation: service.restrat',
      { path: 'webhooks.restart-service.operation', hint: 'Did you mean "service.restart"?' },
    ],
    [
      'a secret that two webhooks share',
      '    secret: restart-hook',
      '    secret: restart-hook\n  other: { operation: service.stop, choose: { service: [web] }, role: operator, secret: restart-hook }',
      { path: 'webhooks.other.secret', hint: 'Give each webhook a secret of its own.' },
    ],
    [
      'a misspelt service in a list',
      '[intake, orchestrator, web]',
      '[intake, orchestrater, web]',
      { path: 'restore.services[1]', hint: 'Did you mean "orchestrator"?' },
    ],
    [
      'a misspelt check in a rule',
      'check: engines-api }',
      'check: engine-api }',
      { path: 'severityRules[0].when.check', hint: 'Did you mean "engines-api"?' },
    ],
    [
      'a misspelt key deep in a check',
      'jsonPath: engines',
      'jsonpath: engines',
      { path: 'checks.engines-api.http.jsonpath', hint: 'Did you mean "jsonPath"?' },
    ],
    [
      'a misspelt key of a channel',
      'minLevel: WARNING',
      'minlevel: WARNING',
      { path: 'channels.on-call.minlevel', hint: 'Did you mean "minLevel"?' },
    ],
    ['an address that is none', 'on-call@example.com', 'on-call', { path: 'channels.on-call.to[0]' }],
  ];
  test.each(inDemo)('%s', (_name, from, to, expected) => {
    const text = DEMO.replace(from, to);
    const found = errorsOf(text).find(({ path }) => path === expected.path);
    expect(found).toMatchObject(expected);
    // The fault names the line that was changed.
    const changed = text.split('\n').findIndex((line, i) => line !== DEMO.split('\n')[i]) + 1;
    expect(found?.line).toBe(changed);
  });
});

test('all faults are told at once, in the order of the file', () => {
  const text = SMALL.replace('name: small', 'nam: small')
    .replace('host: web-1', 'host: web-9')
    .replace('unit: app-web.service', 'unti: app-web.service');
  const errors = errorsOf(text);
  expect(errors.map(({ path }) => path)).toEqual(
    expect.arrayContaining(['nam', 'name', 'services.web.host', 'services.web.unti']),
  );
  const lines = errors.map(({ line }) => line);
  expect(lines).toEqual(lines.toSorted((a, b) => a - b));
});

describe('hostile text is an error and never an exception', () => {
  const bomb = `a: &a [x,x,x,x,x,x,x,x,x]\n${'bcdefgh'
    .split('')
    .map((name, i) => `${name}: &${name} [${`*${'abcdefgh'[i]},`.repeat(9).slice(0, -1)}]`)
    .join('\n')}\n`;
  test.each([
    ['nothing', ''],
    ['a scalar', 'hello'],
    ['a list', '- 1\n- 2'],
    ['an expansion bomb', bomb],
    ['a prototype', '__proto__: { polluted: true }\nversion: 1\nname: x\nhosts: { web-1: { address: a } }'],
    ['an unresolved alias', 'a: *nothing'],
    ['a custom tag', 'version: !!js/function "x"'],
    ['control characters', 'name: "\u0000\u0007"'],
    ['a million brackets', '['.repeat(20_000)],
    ['too much', 'x'.repeat(MAX_RUNBOOK_BYTES + 1)],
    ['a very deep mapping', Array.from({ length: 400 }, (_, i) => `${' '.repeat(i)}k:`).join('\n')],
  ])('%s', (_name, text) => {
    const errors = errorsOf(text);
    expect(errors.length).toBeGreaterThan(0);
    for (const { line, column } of errors) expect(Math.min(line, column)).toBeGreaterThanOrEqual(1);
    expect(Object.hasOwn(Object.prototype, 'polluted')).toBe(false);
  });
});
