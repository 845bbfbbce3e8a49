// `lamp kept`: the databases that restores have put aside; `lamp kept forget` drops one, once its name is typed again.
import type { Command } from 'commander';
import { LamplighterError } from '#shared/errors.ts';
import { restoreForget, restoreKept } from '#shared/operations/backup.ts';
import { performOperation } from '../command/perform.ts';
import { EXIT } from '../exit.ts';
import { addActionOptions, describeOperation } from '../operation/operation-verb.ts';
import { escapeForTerminal } from '../output/escape.ts';
import { addExamples, type Bind, type Session } from '../verb.ts';

interface ForgetOptions {
  yes?: boolean;
  detach?: boolean;
  dryRun?: boolean;
}

export function define(command: Command, bind: Bind): void {
  describeOperation(command, restoreKept);
  addActionOptions(command, restoreKept);
  command.action(bind(list));
  const forgetting = command.command('forget');
  describeOperation(forgetting, restoreForget);
  forgetting
    .argument('<database>', 'the database, as lamp kept lists it')
    .option('--yes', "do not ask for the database's name")
    .action(bind(forget));
  addActionOptions(forgetting, restoreForget);
  addExamples(forgetting, 'lamp kept forget analytics_before_1f3a9c');
  addExamples(command, 'lamp kept', 'lamp kept forget analytics_before_1f3a9c');
}

async function list(session: Session, { detach }: { detach?: boolean }): Promise<number> {
  const order = { operation: restoreKept.name, params: {}, dryRun: false };
  return performOperation(session, order, detach === true);
}

async function forget(session: Session, name: string, options: ForgetOptions): Promise<number> {
  const { yes, detach, dryRun } = options;
  if (!yes && !dryRun && !session.io.stdinIsTty) {
    throw new LamplighterError('invalid-input', `confirm dropping ${name}: there is no terminal to ask on`, {
      hint: 'Give --yes to drop the database without the question.',
    });
  }
  const confirm = yes || dryRun ? name : await askForName(session, name);
  if (confirm === undefined) {
    session.io.err('\ninterrupted: nothing was done\n');
    return EXIT.interrupted;
  }
  const order = { operation: restoreForget.name, params: { name, confirm }, dryRun: dryRun === true };
  return performOperation(session, order, detach === true);
}

async function askForName({ io }: Session, name: string): Promise<string | undefined> {
  const question = `${escapeForTerminal(name)} is dropped for good. Type its name to go on: `;
  const typed = await io.ask(question, io.interrupted).catch(() => undefined);
  if (typed === undefined) return undefined;
  if (typed.trim() === name) return name;
  throw new LamplighterError('invalid-input', `confirm dropping ${name}: "${typed.trim()}" was typed`, {
    hint: `Nothing was done. Type the database's name, ${name}.`,
  });
}
