import { expect, test } from 'vitest';
import { understandResult } from '#functions/command/understand-result.ts';
import { CATALOGUE } from '#shared/operations/catalogue.ts';

const VITALS = {
  bootId: 'b',
  uptimeS: 1,
  load: [0, 0, 0],
  memory: { totalBytes: 2, availableBytes: 1 },
  disks: [{ mount: '/', totalBytes: 2, freeBytes: 1 }],
  units: [],
};

function vitals(result: unknown, dryRun = false) {
  return understandResult({ operation: 'host.vitals', dryRun }, result);
}

test('fields that are new to us are dropped at every depth', () => {
  const newer = {
    ...VITALS,
    swap: { used: 1 },
    memory: { ...VITALS.memory, cached: 1 },
    disks: [{ mount: '/', totalBytes: 2, freeBytes: 1, inodes: 9 }],
  };
  expect(vitals(newer)).toEqual({ understood: true, result: VITALS });
  expect(newer.disks[0]).toHaveProperty('inodes');
});

test.each([
  ['a field that is missing', { ...VITALS, bootId: undefined }, 'bootId: '],
  ['a field of another type, beside one that is new', { ...VITALS, a: 1, uptimeS: 'secret' }, 'uptimeS: '],
  ['a fault in a list', { ...VITALS, disks: [{ mount: 3, totalBytes: 2, freeBytes: 1 }] }, 'disks.0.mount: '],
  ['null', null, 'it must be a mapping'],
  ['a list', [1], 'it must be a mapping'],
  ['a text', 'secret', 'it must be a mapping'],
])('%s is a fault, told without the value', (_name, result, words) => {
  const answer = vitals(result);
  expect(answer).toEqual({ understood: false, fault: expect.stringContaining(words) });
  expect(JSON.stringify(answer)).not.toContain('secret');
});

test('keys that mean something to JavaScript do no harm', () => {
  const odd = { ...VITALS, ...JSON.parse('{"constructor":{"prototype":{}},"toString":1}') };
  const proto = JSON.parse(`${JSON.stringify(VITALS).slice(0, -1)},"__proto__":{"polluted":1}}`);
  expect(vitals(odd)).toEqual({ understood: true, result: VITALS });
  expect(vitals(proto)).toEqual({ understood: true, result: VITALS });
  expect({}).not.toHaveProperty('polluted');
});

test('a dry run returns a plan, of a read what was read', () => {
  const plan = [{ step: 'stop', does: 'systemctl stop a.service' }];
  for (const { name, risk } of CATALOGUE.filter((operation) => operation.risk !== 'read')) {
    expect(understandResult({ operation: name, dryRun: true }, { plan }), `${name} ${risk}`).toEqual({
      understood: true,
      result: { plan },
    });
  }
  expect(vitals(VITALS, true)).toMatchObject({ understood: true });
  expect(vitals({ plan }, true)).toMatchObject({ understood: false });
});

test('an operation that is no more has no results', () => {
  expect(understandResult({ operation: 'service.dance', dryRun: false }, {})).toEqual({
    understood: false,
    fault: 'there is no operation service.dance',
  });
});
