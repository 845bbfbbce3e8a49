import { expect, test } from 'vitest';
import { adviseOnRestore } from '#agent/operations/restore/advice.ts';
import { hintOf, LamplighterError } from '#shared/errors.ts';

test.each([
  ['pg_restore: error: could not execute query: ERROR:  role "app" does not exist', 'Role "app" is not'],
  ['pg_restore: error: could not execute query: ERROR:  relation "app" does not exist', undefined],
])('%s', (said, hint) => {
  const advised = adviseOnRestore(new LamplighterError('failed', `run pg_restore: exit 1: ${said}`));
  expect(advised).toMatchObject({ message: expect.stringContaining(said) });
  if (hint === undefined) expect(hintOf(advised)).toBeUndefined();
  else expect(hintOf(advised)).toContain(hint);
});

test('a missing role says where the roles are and how to open them', () => {
  const advised = adviseOnRestore(new LamplighterError('failed', 'role "x""y" does not exist'));
  expect(hintOf(advised)).toContain('age -d -i KEY globals.sql.age | psql -d postgres');
});

test('an error that has a hint keeps it', () => {
  const error = new LamplighterError('failed', 'role "app" does not exist', { hint: 'Mine.' });
  expect(adviseOnRestore(error)).toBe(error);
});
