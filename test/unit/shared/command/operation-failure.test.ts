import { expect, test } from 'vitest';
import { OperationFailure, withHint } from '#shared/command/operation-failure.ts';
import { LamplighterError } from '#shared/errors.ts';

test('a hint takes nothing from a failure', () => {
  const failure = new OperationFailure('unhealthy', 'failed', 'start web: it is down', {
    output: ['last line'],
  });
  const hinted = withHint(failure, 'Look at its journal.');
  expect(hinted).toBeInstanceOf(OperationFailure);
  expect(hinted).toMatchObject({
    outcome: 'unhealthy',
    code: 'failed',
    message: 'start web: it is down',
    output: ['last line'],
    hint: 'Look at its journal.',
    cause: failure,
  });
  const plain = withHint(new LamplighterError('unavailable', 'reach x', { retryable: true }), 'Try again.');
  expect(plain).not.toBeInstanceOf(OperationFailure);
  expect(plain).toMatchObject({ code: 'unavailable', retryable: true, hint: 'Try again.' });
});
