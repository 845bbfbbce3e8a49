import { expect, test } from 'vitest';
import { TWINS } from '#agent/operations/registry.ts';
import { CATALOGUE, OPERATION_NAMES } from '#shared/operations/catalogue.ts';
import { isRunnersWork } from '#shared/operations/definition.ts';

test('exactly what the runner carries out is a procedure', () => {
  const procedures = TWINS.filter((twin) => 'plan' in twin).map(({ operation }) => operation);
  const expected = CATALOGUE.filter(isRunnersWork).map(({ name }) => name);
  expect(procedures.toSorted()).toEqual(expected.toSorted());
});

test('every operation of the catalogue has its one twin on the host', () => {
  expect(TWINS.map(({ operation }) => operation).toSorted()).toEqual(OPERATION_NAMES.toSorted());
});
