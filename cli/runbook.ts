// `lamp runbook`: validate works without any control plane; apply and show ask it.

import { readFileSync } from 'node:fs';
import type { Command } from 'commander';
import * as z from 'zod';
import { ROUTES } from '#shared/api/routes.ts';
import {
  RunbookErrorView,
  type RunbookFindings,
  type RunbookVersionView,
} from '#shared/api/runbook-views.ts';
import { LamplighterError, messageOf } from '#shared/errors.ts';
import { ApiFault } from '#shared/kit/api-problem.ts';
import { CATALOGUE } from '#shared/operations/catalogue.ts';
import { parseRunbook, type RunbookError } from '#shared/runbook/parse.ts';
import { EXIT } from './exit.ts';
import { escapeForTerminal, escapeLines } from './output/escape.ts';
import { toJsonText } from './output/json.ts';
import { formatClock } from './output/quantity.ts';
import { addExamples, type Bind, type Session } from './verb.ts';

export function define(command: Command, bind: Bind): void {
  command
    .command('validate')
    .description(
      'Check a runbook on this machine, without the control plane; lists every fault with line and column',
    )
    .argument('<file>', 'a runbook.yaml')
    .action(bind(validate));
  command
    .command('apply')
    .description('Make a runbook the current one, as a new version')
    .argument('<file>', 'a runbook.yaml')
    .option('--dry-run', 'let the control plane check the runbook, change nothing')
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

interface Findings {
  errors: RunbookError[];
  warnings: RunbookError[];
}

/** Prints every finding as `file:line:col path: message. hint` and returns how many faults there are. */
function printFindings({ io, isJson }: Session, file: string, { errors, warnings }: Findings): number {
  if (isJson) {
    io.out(toJsonText({ valid: errors.length === 0, errors, warnings }));
    return errors.length;
  }
  for (const error of errors) io.out(lineOf(file, error, ''));
  for (const warning of warnings) io.err(lineOf(file, warning, 'warning: '));
  return errors.length;
}

function lineOf(file: string, { line, column, path, message, hint }: RunbookError, label: string): string {
  const where = path ? ` ${path}:` : '';
  const text = `${file}:${line}:${column}${where} ${label}${message}.${hint ? ` ${hint}` : ''}`;
  return `${escapeForTerminal(text)}\n`;
}

function findFaults(text: string): Findings {
  const parsed = parseRunbook(text, CATALOGUE);
  return parsed.ok ? { errors: [], warnings: parsed.warnings } : { errors: parsed.errors, warnings: [] };
}

function validate(session: Session, file: string): Promise<number> {
  const count = printFindings(session, file, findFaults(readRunbook(file)));
  if (count > 0) return Promise.resolve(EXIT.failed);
  if (!session.isJson) session.io.out(`${escapeForTerminal(file)}: valid\n`);
  return Promise.resolve(EXIT.done);
}

async function apply(session: Session, file: string, options: { dryRun?: boolean }): Promise<number> {
  const text = readRunbook(file);
  const findings = findFaults(text);
  if (findings.errors.length > 0) return printFindings(session, file, findings) && EXIT.failed;
  for (const warning of findings.warnings) session.io.err(lineOf(file, warning, 'warning: '));
  try {
    const query = options.dryRun ? { dryRun: '1' } : {};
    const answer = await session.client().call(ROUTES.applyRunbook, { query, body: text });
    session.io.out(session.isJson ? toJsonText(answer) : describeApplied(answer));
    return EXIT.done;
  } catch (error) {
    const remote = remoteFaults(error);
    if (!remote) throw error;
    return printFindings(session, file, { errors: remote, warnings: [] }) && EXIT.failed;
  }
}

/** Faults that only the control plane found: it may be of another version. */
function remoteFaults(error: unknown): RunbookError[] | undefined {
  if (!(error instanceof ApiFault)) return undefined;
  const parsed = z.array(RunbookErrorView).min(1).safeParse(error.errors);
  return parsed.success ? parsed.data : undefined;
}

function describeApplied(answer: RunbookVersionView | RunbookFindings): string {
  return 'valid' in answer ? 'valid: nothing was changed\n' : `applied as version ${answer.version}\n`;
}

async function show(session: Session): Promise<number> {
  const view = await session.client().call(ROUTES.readRunbook, {});
  if (session.isJson) session.io.out(toJsonText(view));
  else {
    session.io.err(`version ${view.version}, applied ${formatClock(view.appliedAt)} by ${view.appliedBy}\n`);
    session.io.out(session.io.stdoutIsTty ? escapeLines(view.text) : view.text);
  }
  return EXIT.done;
}
