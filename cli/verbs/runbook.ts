// `lamp runbook`: validate works without any control plane; apply and show ask it.
import { readFileSync } from 'node:fs';
import type { Command } from 'commander';
import { z } from 'zod';
import { RunbookVersionView } from '#shared/api/views.ts';
import { LamplighterError, messageOf } from '#shared/errors.ts';
import { OPERATION_NAMES } from '#shared/operations/catalogue.ts';
import { parseRunbook, type RunbookError } from '#shared/runbook/parse.ts';
import { EXIT } from '../exit.ts';
import { escapeForTerminal, escapeLines } from '../output/escape.ts';
import { toJsonText } from '../output/json.ts';
import { formatClock } from '../output/quantity.ts';
import { addExamples, type Bind, type Session } from './verb.ts';

const RemoteError = z.object({
  line: z.int(),
  column: z.int(),
  path: z.string(),
  message: z.string(),
  hint: z.string().exactOptional(),
});

export function define(command: Command, bind: Bind): void {
  command
    .command('validate')
    .description('Check a runbook here, without any control plane: all faults at once, with line and column')
    .argument('<file>', 'a runbook.yaml')
    .action(bind(validate));
  command
    .command('apply')
    .description('Make a runbook the current one; it becomes a new version')
    .argument('<file>', 'a runbook.yaml')
    .option('--dry-run', 'let the control plane check it, change nothing')
    .action(bind(apply));
  command.command('show').description('Print the current runbook').action(bind(show));
  addExamples(command, 'lamp runbook validate runbook.yaml', 'lamp runbook apply runbook.yaml');
}

function readRunbook(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch (error) {
    throw new LamplighterError('invalid-input', `read runbook ${file}: ${messageOf(error)}`, {
      cause: error,
    });
  }
}

/** Prints every fault as `file:line:col path: message. hint` and returns how many there are. */
function printFaults({ io, isJson }: Session, file: string, errors: RunbookError[]): number {
  if (isJson) io.out(toJsonText({ valid: errors.length === 0, errors }));
  for (const { line, column, path, message, hint } of isJson ? [] : errors) {
    const where = path ? ` ${path}:` : '';
    io.out(escapeForTerminal(`${file}:${line}:${column}${where} ${message}.${hint ? ` ${hint}` : ''}`));
    io.out('\n');
  }
  return errors.length;
}

function findFaults(text: string): RunbookError[] {
  const parsed = parseRunbook(text, OPERATION_NAMES);
  return parsed.ok ? [] : parsed.errors;
}

function validate(session: Session, file: string): Promise<number> {
  const count = printFaults(session, file, findFaults(readRunbook(file)));
  if (count > 0) return Promise.resolve(EXIT.failed);
  if (!session.isJson) session.io.out(`${escapeForTerminal(file)}: valid\n`);
  return Promise.resolve(EXIT.done);
}

async function apply(session: Session, file: string, options: { dryRun?: boolean }): Promise<number> {
  const text = readRunbook(file);
  const faults = findFaults(text);
  if (faults.length > 0) return printFaults(session, file, faults) && EXIT.failed;
  try {
    const path = options.dryRun ? '/v1/runbook?dryRun=1' : '/v1/runbook';
    const answer = await session
      .client()
      .call('PUT', path, z.unknown(), { body: text, contentType: 'text/yaml' });
    session.io.out(session.isJson ? toJsonText(answer) : describeApplied(answer, options.dryRun === true));
    return EXIT.done;
  } catch (error) {
    const remote = remoteFaults(error);
    if (!remote) throw error;
    return printFaults(session, file, remote) && EXIT.failed;
  }
}

/** Faults that only the control plane found: it may be of another version. */
function remoteFaults(error: unknown): RunbookError[] | undefined {
  if (!(error instanceof LamplighterError)) return undefined;
  const parsed = z.array(RemoteError).min(1).safeParse(error.details['errors']);
  return parsed.success ? parsed.data : undefined;
}

function describeApplied(answer: unknown, isDryRun: boolean): string {
  if (isDryRun) return 'valid: nothing was changed\n';
  const { version } = z.object({ version: z.int() }).parse(answer);
  return `applied as version ${version}\n`;
}

async function show(session: Session): Promise<number> {
  const view = await session.client().call('GET', '/v1/runbook', RunbookVersionView);
  if (session.isJson) session.io.out(toJsonText(view));
  else {
    session.io.err(`version ${view.version}, applied ${formatClock(view.appliedAt)} by ${view.appliedBy}\n`);
    session.io.out(session.io.stdoutIsTty ? escapeLines(view.text) : view.text);
  }
  return EXIT.done;
}
