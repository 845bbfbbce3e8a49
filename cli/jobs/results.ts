// Results of jobs.*: which jobs are stuck, and which were reset.
import { jobsReset, jobsStuck } from '#shared/operations/jobs.ts';
import { viewOf } from '../operation/result-view.ts';
import { escapeForTerminal } from '../output/escape.ts';
import { formatAge, formatCount, formatSpan } from '../output/quantity.ts';
import { renderTable } from '../output/table.ts';

const STUCK_COLUMNS = [{ title: 'JOB', flexible: true }, { title: 'STATUS' }, { title: 'SINCE' }];
const RESET_COLUMNS = [{ title: 'JOB', flexible: true }, { title: 'SINCE' }];
const LEFT_COLUMNS = [
  { title: 'LEFT', flexible: true },
  { title: 'WHY', flexible: true },
];

function jobs(count: number): string {
  return `${formatCount(count)} ${count === 1 ? 'job' : 'jobs'}`;
}

/** Jobs that are stuck, the oldest first. */
export const stuckView = viewOf(
  jobsStuck.result,
  ['jobs', 'database', 'table', 'afterMin', 'rows', 'more'],
  ({ database, table, jobs: name, afterMin, rows, more }, _command, { paint, width, nowMs }) => {
    const place = `${escapeForTerminal(table)} of database ${escapeForTerminal(database)}`;
    const span = formatSpan(afterMin * 60_000);
    if (rows.length === 0) return `no job in ${place} is stuck for more than ${span}\n`;
    const cells = rows.map(({ key, status, since }) => [key, status, formatAge(since, nowMs)]);
    const rest = more > 0 ? `and ${formatCount(more)} more, which are younger\n` : '';
    return [
      `${jobs(rows.length + more)} in ${place} stuck for more than ${span}\n`,
      renderTable(STUCK_COLUMNS, cells, width, paint.dim) + rest,
      `to reset the oldest: lamp unstick ${escapeForTerminal(name)} --dry-run\n`,
    ].join('\n');
  },
);

/** Jobs that were reset, and those that were left as they are. */
export const resetView = viewOf(
  jobsReset.result,
  ['jobs', 'database', 'table', 'resetTo', 'reset', 'left', 'more'],
  ({ database, table, resetTo, reset, left, more }, _command, { paint, width, nowMs }) => {
    const place = `${escapeForTerminal(table)} of database ${escapeForTerminal(database)}`;
    const head = `${paint.bold(`${jobs(reset.length)} reset`)} to ${escapeForTerminal(resetTo)} in ${place}\n`;
    const done = reset.map(({ key, since }) => [key, formatAge(since, nowMs)]);
    const kept = left.map(({ key, why }) => [key, why]);
    return [
      head,
      ...(done.length > 0 ? [renderTable(RESET_COLUMNS, done, width, paint.dim)] : []),
      ...(kept.length > 0 ? [renderTable(LEFT_COLUMNS, kept, width, paint.dim)] : []),
      ...(more > 0 ? [`${formatCount(more)} more could be reset: run it again, or with --all\n`] : []),
    ].join('\n');
  },
);
