// How a route of the table (shared/api/routes.ts) is answered, as each subject declares it in `<subject>/routes.ts`. The
// router (router.ts) authenticates and checks the role before a route's handler is called.

import type { IncomingHttpHeaders } from 'node:http';
import type * as z from 'zod';
import type { PathParams, RouteDefinition } from '#shared/api/route.ts';
import type { Actor } from '#shared/command/envelope.ts';
import { listFaults } from '#shared/plain-issue.ts';
import type { Role } from '#shared/role.ts';
import type { TokenScope } from '../token/scope.ts';
import { HttpFault } from './fault.ts';
import { parseJson } from './json-body.ts';

/** A request to a public route, before its caller is authenticated. */
export interface PublicContext {
  /** The values of `:name` in the path, decoded. */
  params: Readonly<Record<string, string>>;
  query: URLSearchParams;
  headers: IncomingHttpHeaders;
  body: Buffer;
  /** Aborted when the client disconnects. */
  signal: AbortSignal;
}

/** The caller and its rights. */
interface Asker {
  /** The token's name and its role now. */
  actor: Actor;
  /** The hosts and operations that its token is limited to. */
  scope: TokenScope;
  /** Throws `not-allowed` when the actor's role is lower. */
  requireRole(role: Role, action: string): void;
}

/** A request to a route that needs a token. */
export type RouteContext = PublicContext & Asker;

/** A request as the route's own schemas read it. */
export interface Call<P extends string, Q extends z.ZodType, B extends z.ZodType> extends Asker {
  params: PathParams<P>;
  query: z.infer<Q>;
  body: z.infer<B>;
  /** Aborted when the client disconnects. */
  signal: AbortSignal;
}

/** A route and its answer. */
export interface Served {
  route: RouteDefinition;
  handle(context: RouteContext): Promise<unknown>;
}

/** Answers a route: `handle` gets the request as parsed by the route's schemas, and returns what the answer's schema accepts. */
export function serve<P extends string, Q extends z.ZodType, B extends z.ZodType, A extends z.ZodType>(
  route: RouteDefinition<P, Q, B, A>,
  handle: (call: Call<P, Q, B>) => Promise<z.input<A>>,
): Served {
  return {
    route,
    handle: async ({ actor, scope, requireRole, signal, ...context }) =>
      await handle({
        actor,
        scope,
        requireRole,
        signal,
        params: context.params as PathParams<P>,
        query: parseIf(route.query, () => Object.fromEntries(context.query), 'query'),
        body: parseIf(route.body, () => readBody(route, context.body), 'body'),
      }),
  };
}

function parseIf<T extends z.ZodType>(schema: T | undefined, read: () => unknown, what: string): z.infer<T> {
  // A route without a schema for it has `undefined` there, by defineRoute's defaults.
  return schema === undefined ? (undefined as z.infer<T>) : parseInput(schema, read(), what);
}

/** Parses the JSON body of a public route; its handler calls this once the request is authenticated. Throws `invalid-input`. */
export function parseBody<B extends z.ZodType>(
  { body }: RouteDefinition<string, z.ZodType, B>,
  value: unknown,
): z.infer<B> {
  return parseIf(body, () => value, 'body');
}

function readBody({ contentType }: RouteDefinition, body: Buffer): unknown {
  return contentType === undefined ? parseJson(body) : body.toString('utf8');
}

/** `actor` (`kind:name`) is the caller whose requests are limited; it is absent where no proof is needed. */
export type Proof = { isProven: false } | { isProven: true; actor?: string };

/** A public route and its answer: its handler authenticates the caller, or needs no proof. */
export interface PublicServed {
  route: RouteDefinition;
  /** The caller, as far as the request itself proves it without the database. */
  proofOf(context: PublicContext): Proof;
  handle(context: PublicContext): Promise<unknown>;
}

/** Parses a value from outside. Throws `invalid-input`, which names each fault with its path. */
export function parseInput<T extends z.ZodType>(schema: T, value: unknown, what: string): z.infer<T> {
  const parsed = schema.safeParse(value);
  if (parsed.success) return parsed.data;
  const faults = listFaults(parsed.error);
  throw new HttpFault('invalid-input', `read ${what}: ${faults.join('; ')}`, {
    errors: faults,
  });
}
