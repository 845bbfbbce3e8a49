// Finds a request's route and checks the caller. Every route needs a token, except those on the list of public routes.

import type { RouteDefinition } from '#shared/api/route.ts';
import type { Actor } from '#shared/command/envelope.ts';
import { LamplighterError } from '#shared/errors.ts';
import { isRoleAtLeast, type Role } from '#shared/role.ts';
import { MAX_RUNBOOK_BYTES } from '#shared/runbook/size.ts';
import type { Deps } from '../deps.ts';
import { useToken } from '../store/tokens.ts';
import { createKnownTokens, type KnownTokens } from '../token/known.ts';
import { isScoped, type TokenScope } from '../token/scope.ts';
import { type Answer, answering, bodyOf, type Handler, type Request } from './answer.ts';
import { HttpFault } from './fault.ts';
import { createRequestLimits, type RequestLimits } from './request-limits.ts';
import type { PublicContext, PublicServed, Served } from './route.ts';

type RouterDeps = Pick<Deps, 'db' | 'clock' | 'log' | 'denials' | 'addressOf'>;

/** A runbook is the largest body. */
const MAX_BODY_BYTES = MAX_RUNBOOK_BYTES + 1024;

/** The values of a path's `:name` segments, or undefined when the path does not match. Throws `invalid-input` on bad escapes. */
export function matchPath(pattern: string, path: string): Record<string, string> | undefined {
  const wanted = pattern.split('/');
  const given = path.split('/');
  if (wanted.length !== given.length) return undefined;
  const params: Record<string, string> = {};
  for (const [i, segment] of wanted.entries()) {
    const value = given[i] ?? '';
    if (segment.startsWith(':')) {
      if (value === '') return undefined;
      params[segment.slice(1)] = decodeSegment(value);
    } else if (segment !== value) return undefined;
  }
  return params;
}

function decodeSegment(segment: string): string {
  try {
    return decodeURIComponent(segment);
  } catch {
    throw new LamplighterError('invalid-input', 'read path: it has a malformed escape');
  }
}

interface Match<S> {
  served: S;
  params: Record<string, string>;
}

function matchRoute({ path, alias }: RouteDefinition, given: string): Record<string, string> | undefined {
  return matchPath(path, given) ?? (alias === undefined ? undefined : matchPath(alias, given));
}

function findRoute<S extends { route: RouteDefinition }>(
  all: readonly S[],
  method: string,
  path: string,
): Match<S> | undefined {
  for (const served of all) {
    const params = served.route.method === method ? matchRoute(served.route, path) : undefined;
    if (params) return { served, params };
  }
  return undefined;
}

function noSuchRoute(all: readonly { route: RouteDefinition }[], path: string): LamplighterError {
  const methods = all.filter(({ route }) => matchRoute(route, path)).map(({ route }) => route.method);
  if (methods.length === 0) return new LamplighterError('not-found', 'find route: there is no such path');
  const answered = `find route: this path answers ${methods.join(', ')} only`;
  return new HttpFault('invalid-input', answered, { status: 405 });
}

interface Caller {
  actor: Actor;
  /** A token that is limited to hosts or operations only reads, whatever its role, except for the commands that it covers. */
  scope: TokenScope;
}

async function authenticate(
  deps: RouterDeps,
  token: string | undefined,
  known: KnownTokens,
): Promise<Caller> {
  const valid = token === undefined ? undefined : await useToken(deps.db, token, deps.clock());
  if (valid && token !== undefined) {
    known.remember(token);
    const { name, role } = valid;
    return { actor: { kind: 'token', name, role }, scope: valid };
  }
  if (token !== undefined) known.forget(token);
  throw new LamplighterError('unauthenticated', 'identify caller: there is no valid token', {
    hint: 'Send "Authorization: Bearer TOKEN" with a token that was neither revoked nor has expired.',
  });
}

function requireRole(
  { actor, scope }: Caller,
  needed: Role | 'public',
  action: string,
  isScopeChecked = false,
): void {
  if (needed === 'public') return;
  if (isScoped(scope) && needed !== 'viewer' && !isScopeChecked) {
    throw new HttpFault('not-allowed', `${action}: token ${actor.name} is limited to hosts or operations`, {
      hint: 'Use a token without such limits.',
      denial: { subject: action, detail: { role: actor.role, needed, isScoped: true } },
    });
  }
  if (isRoleAtLeast(actor.role, needed)) return;
  throw new HttpFault('not-allowed', `${action}: role ${actor.role} is not allowed`, {
    hint: `Requires the role ${needed}.`,
    denial: { subject: action, detail: { role: actor.role, needed } },
  });
}

/** Aborts when the connection closes or the answer was sent. */
function goneSignal(req: Request): AbortSignal {
  const gone = new AbortController();
  req.res?.once('close', () => gone.abort());
  return gone.signal;
}

function readRequest(req: Request): Omit<PublicContext, 'params'> {
  const query = new URLSearchParams(req.originalUrl.replace(/^[^?]*/, ''));
  return { query, headers: req.headers, body: bodyOf(req, MAX_BODY_BYTES), signal: goneSignal(req) };
}

function tokenOf(req: Request): string | undefined {
  return /^Bearer (\S+)$/.exec(req.headers.authorization ?? '')?.[1];
}

function answerOf({ status, answerType }: RouteDefinition, body: unknown): Answer {
  return {
    body,
    ...(status === undefined ? {} : { status }),
    ...(answerType === undefined ? {} : { type: answerType }),
  };
}

async function answerPublic(
  { served, params }: Match<PublicServed>,
  req: Request,
  limits: RequestLimits,
): Promise<Answer> {
  const context = { ...readRequest(req), params };
  const proof = served.proofOf(context);
  // By key and not by webhook, so that a stolen key has one limit.
  if (proof.isProven && proof.actor !== undefined) limits.admitActor(proof.actor);
  const body = await limits.authenticating(req, proof.isProven, () => served.handle(context));
  return answerOf(served.route, body);
}

/** The handler of all routes. */
export function createRouter(
  deps: RouterDeps,
  routes: readonly Served[],
  publicRoutes: readonly PublicServed[],
): Handler {
  const limits = createRequestLimits(deps);
  const known = createKnownTokens();
  return answering(deps, async (req, fields): Promise<Answer> => {
    const open = findRoute(publicRoutes, req.method, req.path);
    if (open) return await answerPublic(open, req, limits);
    const token = tokenOf(req);
    const isKnown = token !== undefined && known.has(token);
    const caller = await limits.authenticating(req, isKnown, () => authenticate(deps, token, known));
    const { actor } = caller;
    fields.actor = `${actor.kind}:${actor.name}`;
    limits.admitActor(`${actor.kind}:${actor.name}`);
    const found = findRoute(routes, req.method, req.path);
    if (!found) throw noSuchRoute([...routes, ...publicRoutes], req.path);
    const { served, params } = found;
    const { method, path, role, isScopeChecked } = served.route;
    requireRole(caller, role, `${method} ${path}`, isScopeChecked);
    const body = await served.handle({
      ...readRequest(req),
      actor,
      scope: caller.scope,
      params,
      requireRole: (needed, action) => requireRole(caller, needed, action),
    });
    return answerOf(served.route, body);
  });
}
