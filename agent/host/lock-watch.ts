// Watches a program's session for locks: whom it waits for, and who waits for it. It reads the catalogue's views of
// sessions; what the sessions run is not read, since a statement may hold a secret.

import * as z from 'zod';
import { LamplighterError } from '#shared/errors.ts';
import { pause } from '#shared/kit/backoff.ts';
import { type Cluster, quoteText } from './postgres.ts';
import { openSession, type SqlSession } from './postgres-session.ts';

/** How long a dump may wait for a lock, and how long anybody may wait for one of the dump's. */
export const MAX_LOCK_WAIT_MS = 4000;
const LOOK_EVERY_MS = 500;
const MAX_TOLD = 3;

const Session = z.object({
  pid: z.int(),
  application: z.string().nullable(),
  user: z.string().nullable(),
  state: z.string().nullable(),
  since: z.string().nullable(),
});
type Session = z.infer<typeof Session>;

const Sight = z.object({
  /** Whom ours waits for; null when it does not wait. */
  holders: z.array(Session).nullable(),
  /** Transactions that were prepared and neither committed nor rolled back: they hold locks without a session. */
  prepared: z.array(z.string()),
  /** Who waits for ours. */
  heldUp: z.array(Session),
});
export type Sight = z.infer<typeof Sight>;

/** The dump was given up so that nobody waits long. `retryable`: later the lock may be free. */
export class LockHindrance extends LamplighterError {
  constructor(cause: string) {
    super('busy', cause, {
      retryable: true,
      hint: 'Run the backup when the session named here has ended, or end that session.',
    });
    this.name = 'LockHindrance';
  }
}

function tell({ pid, application, user, state, since }: Session): string {
  const name = application === null || application === '' ? '' : ` "${application}"`;
  return `pid ${pid}${name} of ${user ?? 'nobody'}, ${state ?? 'active'}${since === null ? '' : ` since ${since}`}`;
}

function tellAll(sessions: readonly Session[]): string {
  const told = sessions.slice(0, MAX_TOLD).map(tell).join('; ');
  return sessions.length > MAX_TOLD ? `${told}; and ${sessions.length - MAX_TOLD} more` : told;
}

/** Says what stands in the way once that has lasted too long; called once for each look. */
export function createPatience(maxWaitMs: number): (sight: Sight, nowMs: number) => string | undefined {
  let waitsSince: number | undefined;
  let heldUpSince = new Map<number, number>();
  return ({ holders, prepared, heldUp }, nowMs) => {
    waitsSince = holders === null ? undefined : (waitsSince ?? nowMs);
    heldUpSince = new Map(heldUp.map(({ pid }) => [pid, heldUpSince.get(pid) ?? nowMs]));
    if (holders !== null && waitsSince !== undefined && nowMs - waitsSince >= maxWaitMs) {
      const found = holders.length > 0 ? tellAll(holders) : 'a session that is gone';
      const gids = prepared.length > 0 ? `prepared transactions: ${prepared.join(', ')}` : '';
      return `waited ${maxWaitMs} ms for a lock that another holds or waits for: ${gids || found}`;
    }
    const long = heldUp.filter(({ pid }) => nowMs - (heldUpSince.get(pid) ?? nowMs) >= maxWaitMs);
    if (long.length === 0) return undefined;
    return `the dump held up others for ${maxWaitMs} ms and was given up for them: ${tellAll(long)}`;
  };
}

const SESSION_JSON = `json_build_object('pid', a.pid, 'application', a.application_name, 'user', a.usename,
  'state', a.state, 'since', to_char(coalesce(a.xact_start, a.query_start) AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"'))`;

function lookSql(application: string): string {
  return `WITH ours AS (
    SELECT pid, CASE WHEN wait_event_type = 'Lock' THEN pg_blocking_pids(pid) END AS blockers
    FROM pg_stat_activity WHERE application_name = ${quoteText(application)} AND usename = current_user)
  SELECT json_build_object(
    'holders', CASE WHEN EXISTS (SELECT 1 FROM ours WHERE blockers IS NOT NULL) THEN coalesce((
      SELECT json_agg(${SESSION_JSON}) FROM pg_stat_activity a
      WHERE EXISTS (SELECT 1 FROM ours WHERE a.pid = ANY (blockers))), '[]'::json) END,
    'prepared', coalesce((
      SELECT json_agg(p.gid) FROM pg_prepared_xacts p
      WHERE EXISTS (SELECT 1 FROM ours WHERE 0 = ANY (blockers))), '[]'::json),
    'heldUp', coalesce((
      SELECT json_agg(${SESSION_JSON}) FROM pg_stat_activity a
      WHERE a.wait_event_type = 'Lock' AND EXISTS (
        SELECT 1 FROM ours WHERE ours.pid = ANY (pg_blocking_pids(a.pid)))), '[]'::json));`;
}

/** Ends the sessions of a program, and with them every lock that they hold or wait for. Does nothing when there is none. */
export function endSessionsSql(application: string): string {
  return `SELECT pg_terminate_backend(pid) FROM pg_stat_activity
    WHERE application_name = ${quoteText(application)} AND usename = current_user AND pid <> pg_backend_pid();`;
}

export interface LockWatch {
  /** Rejects with a `LockHindrance` when something stood in the way for too long; else resolves after `stop`. */
  watched: Promise<void>;
  /** Ends the watching, and whatever the program's sessions still do. */
  stop(): Promise<void>;
}

async function look(session: SqlSession, application: string): Promise<Sight> {
  const [line] = await session.query(lookSql(application));
  return Sight.parse(JSON.parse(line ?? 'null'));
}

/** Watches the sessions of this name. When something hinders them, it ends them first and then rejects. */
export async function watchLocks(cluster: Cluster, application: string): Promise<LockWatch> {
  const session = await openSession({ cluster, database: 'postgres' });
  const stopped = new AbortController();
  const judge = createPatience(MAX_LOCK_WAIT_MS);
  const watch = async (): Promise<void> => {
    while (!stopped.signal.aborted) {
      const hindrance = judge(await look(session, application), performance.now());
      if (hindrance !== undefined) {
        await session.query(endSessionsSql(application));
        throw new LockHindrance(hindrance);
      }
      await pause(LOOK_EVERY_MS, stopped.signal);
    }
  };
  const watched = watch();
  watched.catch(() => undefined);
  return {
    watched,
    stop: async () => {
      stopped.abort();
      await watched.catch(() => undefined);
      await session.query(endSessionsSql(application)).catch(() => undefined);
      session.close();
    },
  };
}
