// db.*: looks at PostgreSQL from outside of its databases.
import { dbConnections, dbReady, dbSessions } from '#shared/operations/db.ts';
import type { Policy } from '#shared/policy/policy.ts';
import { type Cluster } from '../host/postgres.ts';
import { askReady, readConnections, readSessions } from '../host/postgres-activity.ts';
import { redact } from '../host/redact.ts';
import { clusterOf } from './policy-database.ts';
import { defineRootRead } from './twin.ts';

const MEANINGS = {
  accepting: 'The server accepts connections.',
  rejecting:
    'The server runs and rejects connections: it is starting up, recovering after a crash, or shutting down. Wait a minute and ask again; the journal of its unit says how far it is.',
  'no-answer':
    'No server answers on this socket: it does not run, or it listens on another port. Look at its unit with lamp status and lamp logs, then restart it.',
} as const;

function clusterFor(database: string, policy: Policy): Cluster {
  return clusterOf(policy, database, `look at ${database}`);
}

export const twins = [
  defineRootRead(dbReady, async ({ database }, { policy, signal }) => {
    const { socketDir, port } = clusterFor(database, policy);
    const answer = await askReady({ socketDir, port }, signal);
    return { database, socketDir, port, answer, means: MEANINGS[answer] };
  }),
  defineRootRead(dbConnections, async ({ database }, { policy, signal }) =>
    readConnections(clusterFor(database, policy), signal),
  ),
  defineRootRead(dbSessions, async ({ database }, { policy, signal }) => {
    const { sessions, leftOut } = await readSessions(clusterFor(database, policy), database, signal);
    // A program may call itself whatever it likes.
    const shown = sessions.map((session) => ({ ...session, application: redact(session.application) }));
    return { database, sessions: shown, leftOut };
  }),
];
