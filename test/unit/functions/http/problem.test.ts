import { expect, test } from 'vitest';
import { toProblem } from '#functions/http/problem.ts';
import { type ErrorCode, LamplighterError } from '#shared/errors.ts';

const table: [ErrorCode, number][] = [
  ['invalid-input', 400],
  ['unauthenticated', 401],
  ['not-allowed', 403],
  ['not-found', 404],
  ['conflict', 409],
  ['busy', 409],
  ['refused', 422],
  ['unavailable', 503],
  ['timed-out', 504],
];
test.each(table)('%s is status %d', (code, status) => {
  expect(toProblem(new LamplighterError(code, 'm', { hint: 'H.' }))).toMatchObject({
    status,
    code,
    hint: 'H.',
  });
});

test.each([
  new Error('inner'),
  new LamplighterError('internal', 'inner'),
  new LamplighterError('corrupt', 'inner'),
  'inner',
])('says nothing of %s', (thrown) => {
  const problem = toProblem(thrown);
  expect(problem.status).toBe(500);
  expect(JSON.stringify(problem)).not.toContain('inner');
});
