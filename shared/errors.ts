// The error of the project: every room throws it or a class of its own below it, and every handler maps its `code`.

export type ErrorCode =
  | 'invalid-input'
  | 'not-found'
  | 'conflict'
  | 'not-allowed'
  | 'unauthenticated'
  | 'refused'
  | 'busy'
  | 'timed-out'
  | 'unavailable'
  | 'corrupt'
  | 'failed'
  | 'internal';

export interface ErrorOptions {
  /** True when the same call may succeed later without anyone changing anything. Default false. */
  retryable?: boolean;
  /** What the operator does next, a full sentence. */
  hint?: string;
  cause?: unknown;
}

/** An error with a code, a hint for the operator and whether a retry may help. */
export class LamplighterError extends Error {
  readonly code: ErrorCode;
  readonly retryable: boolean;
  readonly hint: string | undefined;

  constructor(code: ErrorCode, message: string, options: ErrorOptions = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.name = 'LamplighterError';
    this.code = code;
    this.retryable = options.retryable ?? false;
    this.hint = options.hint;
  }
}

/** What the operator does next: the error's own hint, or the nearest one among its causes. */
export function hintOf(thrown: unknown): string | undefined {
  let error = thrown;
  // Bounded, since a chain of causes may be a ring.
  for (let depth = 0; depth < 10 && error instanceof Error; depth += 1) {
    if (error instanceof LamplighterError && error.hint !== undefined) return error.hint;
    error = error.cause;
  }
  return undefined;
}

/** The message of anything that was thrown, for logs and results. */
export function messageOf(thrown: unknown): string {
  return thrown instanceof Error ? thrown.message : String(thrown);
}
