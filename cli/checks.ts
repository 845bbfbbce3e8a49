// `lamp check`: the checks as last seen; `--now` runs them all and waits.

import type { Command } from 'commander';
import { ROUTES } from '#shared/api/routes.ts';
import type { CheckView } from '#shared/api/views.ts';
import { EXIT } from './exit.ts';
import { formatAge } from './output/quantity.ts';
import { type Cell, renderTable } from './output/table.ts';
import { addExamples, type Bind, type Session } from './verb.ts';
import { printList, type ViewContext } from './view.ts';

const RUN_TIMEOUT_MS = 180_000;

export function define(command: Command, bind: Bind): void {
  command
    .description('Show the checks as last seen, or run them all now.\n\nExits with 1 when a check fails.')
    .option('--now', 'run all checks now and wait for them')
    .action(
      bind(async (session, { now }: { now?: boolean }) => {
        const checks = await (now ? runNow(session) : lastSeen(session));
        printList(session, checks, renderChecks, 'The runbook has no checks.');
        return checks.some(({ state }) => state === 'failing') ? EXIT.failed : EXIT.done;
      }),
    );
  addExamples(command, 'lamp check', 'lamp check --now');
}

function runNow({ client }: Session): Promise<CheckView[]> {
  return client().call(ROUTES.runChecks, {}, { timeoutMs: RUN_TIMEOUT_MS });
}

async function lastSeen({ client }: Session): Promise<CheckView[]> {
  return (await client().call(ROUTES.readStatus, {})).checks;
}

const COLUMNS = [
  { title: 'CHECK' },
  { title: 'STATE' },
  { title: 'SINCE', dispensable: 3 },
  { title: 'LAST RUN', dispensable: 1 },
  { title: 'LATENCY', align: 'right' as const, dispensable: 2 },
  { title: 'DETAIL', flexible: true, least: 20 },
];

/** Checks from outside and what they last saw. */
export function renderChecks(checks: CheckView[], { paint, width, nowMs }: ViewContext): string {
  const paints = { passing: paint.green, failing: paint.red, unknown: paint.yellow };
  const rows = checks.map((check): (string | Cell)[] => [
    check.name,
    { text: check.state, paint: paints[check.state] },
    formatAge(check.since, nowMs),
    formatAge(check.lastRunAt, nowMs),
    check.latencyMs === null ? '-' : `${Math.round(check.latencyMs)} ms`,
    check.detail ?? '',
  ]);
  return renderTable(COLUMNS, rows, width, paint.dim);
}
