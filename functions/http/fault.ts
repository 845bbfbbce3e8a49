// The error of a refused request, with more than its code.
import { type ErrorCode, type ErrorOptions, LamplighterError } from '#shared/errors.ts';

/** What is recorded about a denial besides the caller and the action. */
export interface DenialFacts {
  subject: string;
  detail?: Record<string, unknown>;
  /** The authenticated caller, where the handler does not know it: `webhook:deploy`. */
  actor?: string;
  /** Replaces the action that the error's code implies. */
  action?: string;
}

export interface FaultOptions extends ErrorOptions {
  /** Replaces the code's own status (problem.ts). */
  status?: number;
  /** Seconds until a retry can succeed. */
  retryAfterS?: number;
  /** Every fault of the input, for the problem's `errors`. */
  errors?: readonly unknown[];
  /** Set when the error is a denial, whatever its code. */
  denial?: DenialFacts;
  /** The announced length of the body. */
  bytes?: number | undefined;
}

/** Thrown where a request is refused. answer.ts turns it into problem details and records a denial. */
export class HttpFault extends LamplighterError {
  readonly facts: Readonly<Omit<FaultOptions, keyof ErrorOptions>>;

  constructor(code: ErrorCode, message: string, options: FaultOptions) {
    const { retryable, hint, cause, ...facts } = options;
    super(code, message, {
      ...(retryable === undefined ? {} : { retryable }),
      ...(hint === undefined ? {} : { hint }),
      cause,
    });
    this.facts = facts;
  }
}

/** What a failure says besides its code, hint and message. */
export function factsOf(thrown: unknown): HttpFault['facts'] {
  return thrown instanceof HttpFault ? thrown.facts : {};
}
