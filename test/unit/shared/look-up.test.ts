// Names that every object inherits, such as `constructor`, are unknown unless an entry has that name.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { lookUp } from '#shared/look-up.ts';
import { HostName } from '#shared/names.ts';
import { alertAppend } from '#shared/operations/alert.ts';
import { CATALOGUE, lookUpOperation } from '#shared/operations/catalogue.ts';
import { hostVitals } from '#shared/operations/host.ts';
import { findService, serviceRestart } from '#shared/operations/service.ts';
import { Policy } from '#shared/policy/policy.ts';
import { parseRunbook } from '#shared/runbook/parse.ts';

const text = readFileSync(join(import.meta.dirname, '../../../local/demo/runbook.yaml'), 'utf8');
const parsed = parseRunbook(text, CATALOGUE);
if (!parsed.ok) throw new Error('the demo runbook is not valid');
const context = { runbook: parsed.runbook };
const NAMES = ['constructor', '__proto__', 'toString', 'hasOwnProperty', 'valueOf'];

describe.each(NAMES)('%s', (name) => {
  test('is found only when it is an entry of its own', () => {
    expect(lookUp({ web: 1 }, name)).toBeUndefined();
    expect(lookUp(Object.fromEntries([[name, 1]]), name)).toBe(1);
  });

  test('is no service, no channel, no operation', () => {
    expect(() => findService(name, context)).toThrow('the runbook has no such service');
    const params = { channel: name, alert: {} } as Parameters<typeof alertAppend.resolve>[0];
    expect(() => alertAppend.resolve(params, context)).toThrow('no such jsonl channel');
    expect(lookUpOperation(name)).toBeUndefined();
  });
});

test('a host of such a name gets no command when the runbook has none', () => {
  const host = HostName.parse('constructor');
  expect(() => hostVitals.resolve({ host }, context)).toThrow('the runbook has no such host');
});

test('a policy allows nothing for a unit of such a name', () => {
  const policy = Policy.parse({ version: 1, host: 'web-1', operations: [], units: {} });
  const spec = { unit: 'constructor', health: { activeForMs: 1000 } };
  expect(serviceRestart.permit(spec, policy, 0)).toMatchObject({ allowed: false, code: 'unknown-unit' });
});
