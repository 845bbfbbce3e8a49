// From an HTTP failure (RFC 9457 problem, or whatever a proxy answers) to an error.
import { Problem } from '../api/views.ts';
import { type ErrorCode, type ErrorOptions, LamplighterError } from '../errors.ts';

const GATEWAY_STATUSES = new Set([429, 502, 503, 504]);

function codeOf(status: number): ErrorCode {
  if (status === 401) return 'unauthenticated';
  if (status === 403) return 'not-allowed';
  if (status === 404) return 'not-found';
  if (status === 409) return 'conflict';
  if (GATEWAY_STATUSES.has(status)) return 'unavailable';
  return status >= 500 ? 'internal' : 'invalid-input';
}

const DEFAULT_HINTS: Partial<Record<ErrorCode, string>> = {
  unauthenticated: 'The token is unknown, expired or revoked: check LAMP_TOKEN or the config file.',
  'not-allowed': 'Ask somebody with the role for it, or for a token with more.',
  unavailable: 'The control plane is busy or starting; try again in a moment.',
  internal: "The control plane's log says more.",
};

function parseProblem(text: string): Problem | undefined {
  try {
    return Problem.safeParse(JSON.parse(text)).data;
  } catch {
    return undefined;
  }
}

/** The API answers with problem details: a page from elsewhere with such a status says nothing of what was asked for. */
function isForeign(status: number): boolean {
  return status < 500 && status !== 401 && status !== 403;
}

function foreignAnswer(status: number, base: string): LamplighterError {
  return new LamplighterError('unavailable', `ask ${base}: it answered HTTP ${status}, not as the API does`, {
    retryable: GATEWAY_STATUSES.has(status),
    hint: `Is ${base} the address of a Lamplighter API (LAMP_URL)?`,
  });
}

/** What the API refused, with the problem's own list of faults. Thrown by the client of the API. */
export class ApiFault extends LamplighterError {
  readonly errors: readonly unknown[];

  constructor(code: ErrorCode, message: string, options: ErrorOptions & { errors: readonly unknown[] }) {
    super(code, message, options);
    this.errors = options.errors;
  }
}

/** The error of a response that is not 2xx. */
export function problemToError(status: number, text: string, base: string): LamplighterError {
  const problem = parseProblem(text);
  if (!problem && isForeign(status)) return foreignAnswer(status, base);
  const code = codeOf(status);
  // What the API says of a header is of no use to who has a config file.
  const said = code === 'unauthenticated' ? undefined : problem?.hint;
  const hint = said ?? DEFAULT_HINTS[code];
  const message =
    problem?.detail ??
    (problem ? `ask ${base}: ${problem.title}` : `ask ${base}: it answered HTTP ${status}`);
  return new ApiFault(code, message, {
    retryable: GATEWAY_STATUSES.has(status),
    ...(hint === undefined ? {} : { hint }),
    errors: problem?.errors ?? [],
  });
}
