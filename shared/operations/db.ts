// db.*: what PostgreSQL on the host says of itself. None of them reads a table of the users'.

import * as z from 'zod';
import { LamplighterError } from '../errors.ts';
import { lookUp } from '../look-up.ts';
import { DatabaseName, type HostName } from '../names.ts';
import type { Policy } from '../policy/policy.ts';
import { ALLOWED, defineOperation, forbid, type PolicyVerdict, type ResolveContext } from './definition.ts';
import { HostParameter, nameHost } from './host.ts';

/** Sessions say who works with what, and from where. */
const SESSIONS_ROLE = 'responder';

/** At most this many rows of an answer. */
export const MAX_SESSIONS = 200;
export const MAX_CONNECTION_GROUPS = 200;

const DbParams = z.strictObject({
  database: DatabaseName.optional().describe('the database; without it the one that the runbook backs up'),
  host: HostParameter,
});
type DbParams = z.infer<typeof DbParams>;
const DbSpec = z.lazy(() => z.strictObject({ database: DatabaseName }));

interface Place {
  host: HostName;
  database: string;
}

function placeOf({ host, database }: DbParams, context: ResolveContext): Place {
  const { backup } = context.runbook;
  if (database !== undefined) {
    const isBackedUp = host === undefined && backup?.database === database;
    return { host: isBackedUp ? backup.host : nameHost(host, context), database };
  }
  if (backup && (host === undefined || host === backup.host)) return backup;
  throw new LamplighterError('invalid-input', 'choose a database: the runbook backs up none on this host', {
    hint: 'Name one: --database NAME',
  });
}

/** What the policy says of looking at a database. */
export function permitLook(database: string, { databases }: Policy): PolicyVerdict {
  const known = lookUp(databases, database);
  if (known?.allow.includes('look')) return ALLOWED;
  const entry = known
    ? `look to "allow:" of ${database} under "databases:"`
    : `"${database}: {allow: [look]}" under "databases:"`;
  return forbid('not-in-policy', `the host's policy does not allow a look at database ${database}`, entry);
}

/** What each read of this family has in common. */
const LOOK = {
  risk: 'read',
  needsRoot: true,
  params: DbParams,
  spec: DbSpec,
  timeoutMs: 30_000,
  canonical: (params: DbParams, context: ResolveContext) => {
    const { host, database } = placeOf(params, context);
    return { ...params, host, database };
  },
  resolve: (params: DbParams, context: ResolveContext) => {
    const { host, database } = placeOf(params, context);
    return { host, spec: { database } };
  },
  permit: ({ database }: { database: string }, policy: Policy) => permitLook(database, policy),
} as const;

export const dbReady = defineOperation({
  ...LOOK,
  name: 'db.ready',
  summary: 'Ask PostgreSQL whether it accepts connections',
  result: z.lazy(() =>
    z.strictObject({
      database: DatabaseName,
      /** Directory of the socket that was asked. */
      socketDir: z.string(),
      port: z.int(),
      answer: z.enum(['accepting', 'rejecting', 'no-answer']),
      /** What the answer means, and what to do next. */
      means: z.string(),
    }),
  ),
});

export const dbConnections = defineOperation({
  ...LOOK,
  name: 'db.connections',
  summary: "Count PostgreSQL's connections by database, user and state",
  result: z.lazy(() =>
    z.strictObject({
      /** Of all databases of the server: the limit is the server's. */
      used: z.int().nonnegative(),
      maxConnections: z.int().positive(),
      /** Of these, kept for superusers and for roles with pg_use_reserved_connections. */
      reserved: z.int().nonnegative(),
      groups: z.array(
        z.strictObject({
          database: z.string(),
          user: z.string(),
          state: z.string(),
          connections: z.int().positive(),
        }),
      ),
      /** Groups that are not among these, which are the largest. */
      leftOut: z.int().nonnegative(),
    }),
  ),
});

export const DbSession = z.lazy(() =>
  z.strictObject({
    pid: z.int(),
    user: z.string(),
    application: z.string(),
    /** Null: over the socket, from the host itself. */
    clientAddress: z.string().nullable(),
    state: z.string(),
    sessionMs: z.int().nonnegative(),
    /** How long it has been in this state. */
    stateMs: z.int().nonnegative(),
    /** Null outside of a transaction. */
    transactionMs: z.int().nonnegative().nullable(),
    /** Null while it runs none. */
    queryMs: z.int().nonnegative().nullable(),
    /** PostgreSQL's kind and name of what it waits for, e.g. `Lock: transactionid`. */
    waitsFor: z.string().nullable(),
    /** Process ids of the sessions whose locks it waits for; 0 is a prepared transaction. */
    blockedBy: z.array(z.int()),
  }),
);
export type DbSession = z.infer<typeof DbSession>;

export const dbSessions = defineOperation({
  ...LOOK,
  name: 'db.sessions',
  summary: 'List the sessions of a database: who, from where, since when, waiting for whom',
  role: SESSIONS_ROLE,
  result: z.lazy(() =>
    z.strictObject({
      database: DatabaseName,
      /** The oldest transactions first, then the oldest sessions. No text of a query: it may hold secrets. */
      sessions: z.array(DbSession),
      leftOut: z.int().nonnegative(),
    }),
  ),
});
