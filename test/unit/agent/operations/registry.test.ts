import { expect, test } from 'vitest';
import { TWINS } from '#agent/operations/registry.ts';
import { OPERATION_NAMES } from '#shared/operations/catalogue.ts';

test('every operation of the catalogue has its one twin on the host', () => {
  expect(TWINS.map(({ operation }) => operation).toSorted()).toEqual(OPERATION_NAMES.toSorted());
});
