import type { Command } from 'commander';
import { ROUTES } from '#shared/api/routes.ts';
import type { CommandDetail, CommandView } from '#shared/api/views.ts';
import { isFinal } from '#shared/command/state.ts';
import { LamplighterError } from '#shared/errors.ts';
import { CommandId } from '#shared/names.ts';
import { EXIT } from '../exit.ts';
import { escapeForTerminal } from '../output/escape.ts';
import { toJsonText } from '../output/json.ts';
import { formatAge, formatClock, formatElapsed } from '../output/quantity.ts';
import { shortId, shortIds } from '../output/short-id.ts';
import { describeSilence } from '../output/silence.ts';
import type { Paint, Palette } from '../output/style.ts';
import { type Cell, renderTable } from '../output/table.ts';
import { addExamples, type Bind, type Session } from '../verb.ts';
import { printList, type ViewContext, viewContext } from '../view.ts';
import { describeCommand, hasEnded, orderParams, renderOutcome } from './outcome.ts';
import { followCommand } from './perform.ts';

interface CommandsOptions {
  wait?: boolean;
  limit: string;
}

export function define(command: Command, bind: Bind): void {
  command
    .argument('[id]', "a command's id, or the end of its id: shows its steps and how it ended")
    .option('-n, --limit <n>', 'list the newest N commands', '20')
    .option('--wait', 'wait until the command ends')
    .action(
      bind(async (session, id: string | undefined, { wait, limit }: CommandsOptions) => {
        if (id) return wait ? followCommand(session, await identify(session, id)) : showOne(session, id);
        if (wait) {
          throw new LamplighterError('invalid-input', 'wait for a command: no command id was given', {
            hint: 'Give an id, or its end; `lamp commands` lists them.',
          });
        }
        const commands = await session.client().call(ROUTES.listCommands, { query: { limit } });
        return printList(session, commands, renderCommands, 'No command so far.');
      }),
    );
  addExamples(command, 'lamp commands', 'lamp commands 4f1a9c2e --wait');
}

function look(session: Session, id: string): Promise<CommandDetail> {
  return session.client().call(ROUTES.readCommand, { params: { id } });
}

/** The whole id: while one waits, another command's id may come to end in the same way. */
async function identify(session: Session, part: string): Promise<string> {
  return CommandId.safeParse(part).data ?? (await look(session, part)).command.id;
}

async function showOne(session: Session, id: string): Promise<number> {
  const detail = await look(session, id);
  session.io.out(session.isJson ? toJsonText(detail) : renderCommand(detail, viewContext(session)));
  return EXIT.done;
}

const COLUMNS = [
  { title: 'COMMAND' },
  { title: 'OPERATION', flexible: true, least: 20 },
  { title: 'STATE' },
  { title: 'ASKED', dispensable: 3 },
  { title: 'TOOK', align: 'right' as const, dispensable: 2 },
  { title: 'BY', dispensable: 1 },
];

function paintOf(state: CommandView['state'], paint: Palette): Paint {
  if (state === 'succeeded') return paint.green;
  return isFinal(state) ? paint.red : paint.yellow;
}

const MAX_SHOWN_LENGTH = 30;
const REDACTED = '[REDACTED]';

function shortDescription({ operation, params, dryRun }: CommandView): string {
  const values = orderParams(params)
    .map(([key, value]) => (key === 'backup' && typeof value === 'string' ? shortId(value) : value))
    .filter((value) => typeof value === 'string' && value.length <= MAX_SHOWN_LENGTH)
    // What only the host may know says nothing here.
    .filter((value) => value !== REDACTED);
  return [operation, ...values, ...(dryRun ? ['(dry run)'] : [])].join(' ');
}

/** Commands, one line each. */
export function renderCommands(commands: CommandView[], { paint, width, nowMs }: ViewContext): string {
  const short = shortIds(commands.map(({ id }) => id));
  const rows = commands.map((command): (string | Cell)[] => [
    short.get(command.id) ?? command.id,
    shortDescription(command),
    { text: command.state, paint: paintOf(command.state, paint) },
    formatAge(command.requestedAt, nowMs),
    command.finishedAt
      ? formatElapsed(Date.parse(command.finishedAt) - Date.parse(command.requestedAt))
      : '-',
    command.actor.name,
  ]);
  return renderTable(COLUMNS, rows, width, paint.dim);
}

/** One command: who asked, its steps with their times, how it ended. */
export function renderCommand({ command, contact }: CommandDetail, context: ViewContext): string {
  const { paint, width } = context;
  const { actor, requestedAt, steps } = command;
  const head = [
    `${paint.bold(describeCommand(command))}  ${paint.dim(command.id)}\n`,
    `asked ${formatClock(requestedAt)} by ${escapeForTerminal(actor.name)} (${actor.kind}, ${actor.role})\n`,
  ];
  const rows = steps.map((step): (string | Cell)[] => [
    { text: step.outcome, paint: step.outcome === 'done' ? paint.green : paint.red },
    step.name,
    formatElapsed(step.durationMs),
    step.detail ?? '',
  ]);
  const columns = [
    { title: 'STEP' },
    { title: 'NAME' },
    { title: 'TOOK', align: 'right' as const, dispensable: 1 },
    { title: 'DETAIL', flexible: true, least: 20 },
  ];
  const table = rows.length > 0 ? renderTable(columns, rows, width, paint.dim) : '';
  if (hasEnded(command)) return [...head, table, renderOutcome(command, context)].join('');
  const silence = describeSilence(command, contact);
  const state = `${paint.yellow(command.state)}${silence ? `: ${silence}` : ''}\n`;
  return [...head, table, state].join('');
}
