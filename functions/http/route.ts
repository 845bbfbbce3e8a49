// A route of the HTTP API, as each subject declares its own (`<subject>/routes.ts`). The router (router.ts) authenticates and checks the
// role before a route's handler is called.
import type { IncomingHttpHeaders } from 'node:http';
import * as z from 'zod';
import type { Actor } from '#shared/command/envelope.ts';
import { LamplighterError } from '#shared/errors.ts';
import { describeIssue } from '#shared/plain-issue.ts';
import type { Role } from '#shared/role.ts';
import type { TokenScope } from '../token/scope.ts';
import type { Answer } from './answer.ts';
import { parseJson } from './json-body.ts';

export type { Answer };

export type Method = 'GET' | 'POST' | 'PUT';

/** A request to a public route: nobody has said yet who asks. */
export interface PublicContext {
  /** The values of `:name` in the path, decoded. */
  params: Readonly<Record<string, string>>;
  query: URLSearchParams;
  headers: IncomingHttpHeaders;
  body: Buffer;
  /** Aborted when the one who asked has gone. */
  signal: AbortSignal;
}

/** A request to a route. */
export interface RouteContext extends PublicContext {
  /** Who asks: the token's name and its role now. */
  actor: Actor;
  /** What its token is limited to. */
  scope: TokenScope;
  /** Throws `not-allowed` when the actor's role is less. */
  requireRole(role: Role, action: string): void;
}

/** `actor` is who is limited (`kind:name`); none where no proof is needed. */
export type Proof = { isProven: false } | { isProven: true; actor?: string };

/** A route that authenticates by itself, or needs none. There are two: public-routes.ts. */
export interface PublicRoute {
  method: Method;
  path: string;
  /** Who sent it, as far as the request itself proves it without the database. */
  proofOf(context: PublicContext): Proof;
  handle(context: PublicContext): Promise<Answer>;
}

export interface Route {
  method: Method;
  /** Segments of text or `:name`, e.g. `/v1/commands/:id`. */
  path: string;
  /** The least role that may call it. */
  role: Role;
  /** True where the handler asks for a command, which checks the token's limits: a limited token may try. */
  isScopeChecked?: boolean;
  handle(context: RouteContext): Promise<Answer>;
}

/** Parses the JSON body. Throws `invalid-input` that names each fault with its path. */
export function parseBody<T extends z.ZodType>(context: Pick<RouteContext, 'body'>, schema: T): z.infer<T> {
  return parseInput(schema, parseJson(context.body), 'body');
}

/** Parses what came from outside. Throws `invalid-input` that names each fault with its path. */
export function parseInput<T extends z.ZodType>(schema: T, value: unknown, what: string): z.infer<T> {
  const parsed = schema.safeParse(value);
  if (parsed.success) return parsed.data;
  const faults = parsed.error.issues.map((issue) =>
    issue.path.length === 0 ? describeIssue(issue) : `${issue.path.join('.')}: ${describeIssue(issue)}`,
  );
  throw new LamplighterError('invalid-input', `read ${what}: ${faults.join('; ')}`, {
    details: { errors: faults },
  });
}

/** Parses query parameters by a schema of an object of optional strings. Throws `invalid-input`; unknown ones too are told. */
export function parseQuery<T extends z.ZodType>(context: Pick<RouteContext, 'query'>, schema: T): z.infer<T> {
  return parseInput(schema, Object.fromEntries(context.query), 'query');
}

/** `limit` as a query parameter: 1 to 500. */
export function limitParameter(fallback: number) {
  return z.coerce.number().int().min(1).max(500).default(fallback);
}
