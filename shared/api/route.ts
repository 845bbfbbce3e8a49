// What a route of the HTTP API is: one entry of the table (routes.ts), from which the router, `lamp` and every other client
// derive. How it is answered stands in functions/, beside its subject.
import * as z from 'zod';
import { LamplighterError } from '../errors.ts';
import type { Role } from '../role.ts';

export type Method = 'GET' | 'POST' | 'PUT';

/** The names of a path's `:name` segments. */
type NameIn<P extends string> = P extends `${string}/:${infer Rest}`
  ? Rest extends `${infer Name}/${infer Tail}`
    ? Name | NameIn<`/${Tail}`>
    : Rest
  : never;

/** The values of a path's `:name` segments. */
export type PathParams<P extends string> = Readonly<Record<NameIn<P>, string>>;

export interface RouteDefinition<
  P extends string = string,
  Q extends z.ZodType = z.ZodType,
  B extends z.ZodType = z.ZodType,
  A extends z.ZodType = z.ZodType,
> {
  method: Method;
  /** Segments of text or `:name`, e.g. `/v1/commands/:id`. */
  path: P;
  /** Another path with the same answer. */
  alias?: P;
  /** The least role that may call it; a public route needs no token. */
  role: Role | 'public';
  /** True where the answer comes from asking for a command, which checks the token's limits: a limited token may try. */
  isScopeChecked?: boolean;
  /** What stands behind the `?`: an object of parameters. Without it the query is not read. */
  query?: Q;
  /** The body as it was parsed, or the text itself where `contentType` is not JSON. Without it the body is not read. */
  body?: B;
  /** `application/json` unless it says otherwise. */
  contentType?: 'text/yaml';
  /** 200 unless it says otherwise; 204 without an `answer`. */
  status?: 201 | 202;
  /** Without it there is nothing to say but that it is done. */
  answer?: A;
  /** Of an answer that is a text; `application/json` unless it says so. */
  answerType?: 'text/yaml';
}

/** Keeps the types of path and schemas while checking the shape. */
export function defineRoute<
  P extends string,
  Q extends z.ZodType = z.ZodUndefined,
  B extends z.ZodType = z.ZodUndefined,
  A extends z.ZodType = z.ZodUndefined,
>(definition: RouteDefinition<P, Q, B, A>): RouteDefinition<P, Q, B, A> {
  return definition;
}

/** `limit` in a query: 1 to 500. */
export function limitParameter(fallback: number) {
  return z.coerce.number().int().min(1).max(500).default(fallback);
}

/** Query parameters as a caller gives them. */
type QueryInput<Q extends z.ZodType> = {
  readonly [K in keyof z.infer<Q>]?: string | number | undefined;
};

/** What a caller gives to a route: the values of its path, and its query and body where it has them. */
export type RouteInput<P extends string, Q extends z.ZodType, B extends z.ZodType> = ([NameIn<P>] extends [
  never,
]
  ? unknown
  : { params: PathParams<P> }) &
  (Q extends z.ZodUndefined ? unknown : { query?: QueryInput<Q> }) &
  (B extends z.ZodUndefined ? unknown : { body: z.input<B> });

interface AnyInput {
  params?: Readonly<Record<string, string>>;
  query?: Readonly<Record<string, unknown>>;
  body?: unknown;
}

export interface PreparedRequest {
  method: Method;
  /** Path and query. */
  target: string;
  body?: { text: string; contentType: string };
}

/**
 * A name as one segment of a path, escaped. Throws `invalid-input` on an empty one, and on `.` and `..`, which are taken for
 * steps in the path however they are escaped: the request would go to another path.
 */
function pathSegment(name: string): string {
  if (name !== '' && name !== '.' && name !== '..') return encodeURIComponent(name);
  throw new LamplighterError('invalid-input', `ask API: "${name}" is not a name`);
}

function queryText(query: Readonly<Record<string, unknown>>): string {
  const given = Object.entries(query).filter(([, value]) => value !== undefined);
  return new URLSearchParams(given.map(([name, value]) => [name, String(value)])).toString();
}

/** The request that a route and what is given to it make. Throws `invalid-input` when a name can't stand in a path. */
export function prepareRequest<P extends string, Q extends z.ZodType, B extends z.ZodType>(
  { method, path, contentType }: RouteDefinition<P, Q, B>,
  input: RouteInput<P, Q, B>,
): PreparedRequest {
  const { params = {}, query = {}, body } = input as AnyInput;
  const filled = path.replaceAll(/(?<=\/):(\w+)/g, (_whole, name: string) => pathSegment(params[name] ?? ''));
  const asked = queryText(query);
  const target = asked === '' ? filled : `${filled}?${asked}`;
  if (body === undefined) return { method, target };
  return {
    method,
    target,
    body: contentType
      ? { text: body as string, contentType }
      : { text: JSON.stringify(body), contentType: 'application/json' },
  };
}
