// `lamp check`: the checks as last seen; `--now` runs them all and waits.
import type { Command } from 'commander';
import { ROUTES } from '#shared/api/routes.ts';
import type { CheckView } from '#shared/api/views.ts';
import { EXIT } from './exit.ts';
import { addExamples, type Bind, type Session } from './verb.ts';
import { printList } from './view.ts';
import { renderChecks } from './views/checks.ts';

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
