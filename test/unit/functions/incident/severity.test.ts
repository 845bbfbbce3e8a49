import { expect, test } from 'vitest';
import { parseIncidentName } from '#functions/incident/name.ts';
import { isWorse, levelOf, respondBy, severityOf } from '#functions/incident/severity.ts';
import { Runbook } from '#shared/runbook/schema.ts';

const runbook = Runbook.parse({
  version: 1,
  name: 'x',
  hosts: { 'web-1': { address: 'a' } },
  severities: { P2: { respondWithinMin: 30, level: 'WARNING' } },
  severityRules: [
    { when: { check: 'api' }, severity: 'P1' },
    { when: { kind: 'check', service: 'web' }, severity: 'P2' },
    { when: { host: 'web-1', kind: 'backup' }, severity: 'P4' },
  ],
});

test.each([
  [{ kind: 'check', host: 'web-1', facts: { check: 'api', service: 'web' } }, 'P1'],
  [{ kind: 'check', host: 'web-1', facts: { check: 'other', service: 'web' } }, 'P2'],
  [{ kind: 'backup', host: 'web-1', facts: {} }, 'P4'],
  [{ kind: 'heartbeat', host: 'web-1', facts: {} }, 'P3'],
] as const)('%j is %s', (symptom, severity) => {
  expect(severityOf(symptom, runbook)).toBe(severity);
});

test('the runbook decides level and time to respond', () => {
  expect(levelOf('P2', runbook)).toBe('WARNING');
  expect(levelOf('P1', runbook)).toBe('CRITICAL');
  expect(respondBy('P2', new Date('2026-11-23T10:00:00Z'), runbook)).toEqual(
    new Date('2026-11-23T10:30:00Z'),
  );
});

test('P1 is the worst', () => {
  expect(isWorse('P1', 'P2')).toBe(true);
  expect(isWorse('P3', 'P3')).toBe(false);
});

test.each(['', 'INC-0', 'INC-', '-1', '1e3', 'INC-1 ', '9999999999'])('%j is not an incident', (name) => {
  expect(() => parseIncidentName(name)).toThrow('the name must look like INC-12');
});
