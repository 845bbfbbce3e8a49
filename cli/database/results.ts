// Results of db.*: what PostgreSQL says of itself.
import { type DbSession, dbConnections, dbReady, dbSessions } from '#shared/operations/db.ts';
import { viewOf } from '../operation/result-view.ts';
import { escapeForTerminal } from '../output/escape.ts';
import { formatSpan } from '../output/quantity.ts';
import { type Cell, renderTable } from '../output/table.ts';
import { wrapText } from '../output/width.ts';
import type { ViewContext } from '../view.ts';

/** Whether the server takes connections, and what that means. */
export const readyView = viewOf(
  dbReady.result,
  ['database', 'socketDir', 'port', 'answer', 'means'],
  ({ socketDir, port, answer, means }, _command, { paint, width }) => {
    const colour = answer === 'accepting' ? paint.green : paint.red;
    const head = `PostgreSQL on ${escapeForTerminal(socketDir)}, port ${port}: ${colour(answer.replace('-', ' '))}`;
    return `${[head, ...wrapText(escapeForTerminal(means), width)].join('\n')}\n`;
  },
);

const CONNECTION_COLUMNS = [
  { title: 'DATABASE', flexible: true },
  { title: 'USER', flexible: true },
  { title: 'STATE' },
  { title: 'CONNECTIONS', align: 'right' as const },
];
/** From this share on a burst of requests may find no place. */
const TIGHT_SHARE = 0.8;

function leftOutNote(count: number, what: 'group' | 'session'): string {
  if (count === 0) return '';
  return count === 1 ? `1 more ${what} is not shown\n` : `${count} more ${what}s are not shown\n`;
}

/** How many connections of how many, and whose. */
export const connectionsView = viewOf(
  dbConnections.result,
  ['used', 'maxConnections', 'reserved', 'groups', 'leftOut'],
  ({ used, maxConnections, reserved, groups, leftOut }, _command, { paint, width }) => {
    const ordinary = Math.max(1, maxConnections - reserved);
    const share = `${Math.round((100 * used) / ordinary)} %`;
    const isTight = used >= TIGHT_SHARE * ordinary;
    const head = `${used} of ${ordinary} connections in use (${isTight ? paint.red(share) : share}); ${reserved} more are reserved for superusers\n`;
    if (groups.length === 0) return head;
    const rows = groups.map(({ database, user, state, connections }) => [
      database,
      user,
      state,
      String(connections),
    ]);
    return `${head}\n${renderTable(CONNECTION_COLUMNS, rows, width, paint.dim)}${leftOutNote(leftOut, 'group')}`;
  },
);

const SESSION_COLUMNS = [
  { title: 'PID', align: 'right' as const },
  { title: 'USER', flexible: true, least: 6 },
  { title: 'FROM', flexible: true, least: 7, dispensable: 3 },
  { title: 'APPLICATION', flexible: true, least: 8, dispensable: 1 },
  { title: 'STATE', flexible: true, least: 11 },
  { title: 'SESSION', align: 'right' as const, dispensable: 2 },
  { title: 'TRANSACTION', align: 'right' as const },
  { title: 'QUERY', align: 'right' as const },
  { title: 'WAITS FOR', flexible: true, least: 12 },
];
/** A transaction that idles longer keeps locks, and old rows from being cleaned up. */
const LONG_IDLE_MS = 5 * 60_000;

function spanCell(ms: number | null): string {
  return ms === null ? '-' : formatSpan(ms);
}

function waitCell({ waitsFor, blockedBy }: DbSession, { paint }: ViewContext): Cell {
  if (blockedBy.length > 0) return { text: `process ${blockedBy.join(', ')}`, paint: paint.red };
  return { text: waitsFor ?? '-' };
}

function stateCell({ state, stateMs }: DbSession, { paint }: ViewContext): Cell {
  const isLongIdle = state.startsWith('idle in transaction') && stateMs > LONG_IDLE_MS;
  return { text: state, paint: isLongIdle ? paint.yellow : undefined };
}

/** Sessions, and who waits for whom. */
export const sessionsView = viewOf(
  dbSessions.result,
  ['database', 'sessions', 'leftOut'],
  ({ database, sessions, leftOut }, _command, context) => {
    if (sessions.length === 0) return `no sessions in database ${escapeForTerminal(database)}\n`;
    const rows = sessions.map((session) => [
      String(session.pid),
      session.user,
      session.clientAddress ?? 'this host',
      session.application === '' ? '-' : session.application,
      stateCell(session, context),
      spanCell(session.sessionMs),
      spanCell(session.transactionMs),
      spanCell(session.queryMs),
      waitCell(session, context),
    ]);
    const table = renderTable(SESSION_COLUMNS, rows, context.width, context.paint.dim);
    return `${table}${leftOutNote(leftOut, 'session')}`;
  },
);
