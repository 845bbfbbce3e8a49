// Failures of an operation on its host that have an outcome of their own.
import { type ErrorCode, type ErrorOptions, LamplighterError } from '../errors.ts';
import type { OutcomeCode } from './report.ts';

export interface FailureOptions extends Pick<ErrorOptions, 'hint' | 'cause'> {
  /** Lines that say more, such as the last ones of a unit's journal. They are redacted before they leave the host. */
  output?: readonly string[];
}

/**
 * Thrown by a step, or by what it works with, when the report's code should be more than `step-failed`. The runner undoes
 * the procedure; the hint says what the operator does next.
 */
export class OperationFailure extends LamplighterError {
  readonly outcome: OutcomeCode;
  readonly output: readonly string[];

  constructor(outcome: OutcomeCode, code: ErrorCode, message: string, options: FailureOptions = {}) {
    super(code, message, options);
    this.outcome = outcome;
    this.output = options.output ?? [];
  }
}

/** The same failure with a hint, caused by the one without. */
export function withHint(failure: LamplighterError, hint: string): LamplighterError {
  const { code, message, retryable } = failure;
  if (!(failure instanceof OperationFailure)) {
    return new LamplighterError(code, message, { retryable, cause: failure, hint });
  }
  return new OperationFailure(failure.outcome, code, message, {
    cause: failure,
    hint,
    output: failure.output,
  });
}
