// From an error to RFC 9457 problem details.

import * as z from 'zod';
import type { Problem } from '#shared/api/views.ts';
import { type ErrorCode, LamplighterError } from '#shared/errors.ts';
import { factsOf } from './fault.ts';

const STATUS: Record<ErrorCode, number> = {
  'invalid-input': 400,
  unauthenticated: 401,
  'not-allowed': 403,
  'not-found': 404,
  conflict: 409,
  busy: 409,
  refused: 422,
  corrupt: 500,
  failed: 500,
  internal: 500,
  unavailable: 503,
  'timed-out': 504,
};

const TITLES: Record<number, string> = {
  400: 'Bad Request',
  401: 'Unauthorized',
  403: 'Forbidden',
  404: 'Not Found',
  405: 'Method Not Allowed',
  409: 'Conflict',
  408: 'Request Timeout',
  413: 'Content Too Large',
  415: 'Unsupported Media Type',
  422: 'Unprocessable Content',
  426: 'Upgrade Required',
  429: 'Too Many Requests',
  503: 'Service Unavailable',
  504: 'Gateway Timeout',
};

const INTERNAL: Problem = {
  type: 'about:blank',
  title: 'Internal Server Error',
  status: 500,
  code: 'internal',
  hint: "The function's log says more.",
};

/** An error as it may be shown to a client. The details of an internal error stay in the function's log. */
export function toProblem(thrown: unknown): Problem {
  if (thrown instanceof z.ZodError) return INTERNAL;
  if (!(thrown instanceof LamplighterError)) return INTERNAL;
  const { status = STATUS[thrown.code], errors } = factsOf(thrown);
  if (status === 500) return INTERNAL;
  return {
    type: 'about:blank',
    title: TITLES[status] ?? 'Error',
    status,
    code: thrown.code,
    ...(thrown.code === 'unavailable' ? {} : { detail: thrown.message }),
    ...(thrown.hint === undefined ? {} : { hint: thrown.hint }),
    ...(errors === undefined ? {} : { errors: [...errors] }),
  };
}
