// Failures of a request that say more than their code does.
import { type ErrorCode, type ErrorOptions, LamplighterError } from '#shared/errors.ts';

/** What is written down about a denial, besides who asked and what for. */
export interface DenialFacts {
  subject: string;
  detail?: Record<string, unknown>;
  /** Who was denied, proven, where the handler does not know: `webhook:deploy`. */
  actor?: string;
  /** Another action than the error's code stands for. */
  action?: string;
}

export interface FaultOptions extends ErrorOptions {
  /** Where the code's own status (problem.ts) does not fit. */
  status?: number;
  /** Seconds until it is worth asking again. */
  retryAfterS?: number;
  /** Every fault of what was sent, for the problem's `errors`. */
  errors?: readonly unknown[];
  /** It is a denial, whatever its code. */
  denial?: DenialFacts;
  /** The length of a body that was announced. */
  bytes?: number | undefined;
}

/** Thrown where a request is refused; answer.ts makes the problem details of it and writes a denial down. */
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
