// `lamp restore`: says what it will do, wants the database's name typed, then acts.
import type { Command } from 'commander';
import type { BackupView } from '#shared/api/views.ts';
import { LamplighterError } from '#shared/errors.ts';
import { restoreRun } from '#shared/operations/backup.ts';
import { performOperation } from '../command/perform.ts';
import { EXIT } from '../exit.ts';
import { addActionOptions, describeOperation } from '../operation/operation-verb.ts';
import { escapeForTerminal } from '../output/escape.ts';
import { formatAge, formatBytes, formatCount } from '../output/quantity.ts';
import { wrapText } from '../output/width.ts';
import { addExamples, type Bind, type Session } from '../verb.ts';
import { findBackup } from './find-backup.ts';

/** What `latest` takes. */
const PROVEN: ReadonlySet<BackupView['proof']['state']> = new Set(['verified', 'intact']);

interface RestoreOptions {
  yes?: boolean;
  detach?: boolean;
  dryRun?: boolean;
  keepGoing?: boolean;
}

export function define(command: Command, bind: Bind): void {
  describeOperation(command, restoreRun);
  command
    .argument(
      '[backup]',
      "a backup's id, the end of its id, or latest: the newest that is verified or intact",
      'latest',
    )
    .option(
      '--keep-going',
      'restore all that PostgreSQL accepts and list what it refused; without this option the first refusal undoes the restore',
    )
    .option('--yes', "do not ask for the database's name")
    .action(bind(restore));
  addActionOptions(command, restoreRun);
  addExamples(
    command,
    'lamp restore latest',
    'lamp restore 20261123T020000Z-1f3a9c --yes',
    'lamp restore --keep-going',
  );
}

async function restore(session: Session, wanted: string, options: RestoreOptions): Promise<number> {
  const { yes, detach, dryRun, keepGoing } = options;
  if (!yes && !dryRun && !session.io.stdinIsTty) {
    throw new LamplighterError('invalid-input', 'confirm restore: there is no terminal to ask on', {
      hint: 'Give --yes to restore without the question.',
    });
  }
  const backup = await findBackup(session, wanted, ({ proof }) => PROVEN.has(proof.state));
  warn(session, backup);
  const confirm = yes || dryRun ? backup.database : await askForName(session, backup);
  if (confirm === undefined) {
    session.io.err('\ninterrupted: nothing was done\n');
    return EXIT.interrupted;
  }
  const order = {
    operation: restoreRun.name,
    params: { backup: backup.id, confirm, ...(keepGoing ? { onRefused: 'keep-going' } : {}) },
    dryRun: dryRun === true,
  };
  return performOperation(session, order, detach === true);
}

function warn({ io, paint }: Session, backup: BackupView): void {
  const facts = `${formatBytes(backup.bytes)}, ${formatCount(backup.rows)} rows in ${backup.tables} tables`;
  const text = [
    `Restore of database ${backup.database} on ${backup.host} from ${backup.id},`,
    `taken ${formatAge(backup.finishedAt, io.nowMs())} (${facts}).`,
    'Services stop meanwhile; what was written since the backup stays only in the copy that is kept.',
  ].join(' ');
  io.err(`${wrapText(escapeForTerminal(text), io.columns()).join('\n')}\n`);
  const why = doubtOf(backup);
  if (why === undefined) return;
  io.err(`${paint.yellow('warning:')} this backup ${why}; the host checks it before it touches anything\n`);
}

/** What is not proven of a backup that is about to be restored; undefined when it was verified. */
function doubtOf({ proof }: BackupView): string | undefined {
  const fault = proof.faults[0] ? `: ${escapeForTerminal(proof.faults[0])}` : '';
  switch (proof.state) {
    case 'verified':
      return undefined;
    case 'intact':
      return 'is encrypted, so only its bytes are proven, and the host needs an age identity (identityFile in its policy)';
    case 'corrupt':
      return `is known to be corrupt${fault}`;
    case 'not-uploaded':
      return 'is on its host only, so nothing is proven of it yet';
    case 'pending':
      return 'is not verified yet';
  }
}

async function askForName({ io }: Session, { database }: BackupView): Promise<string | undefined> {
  const question = `Type the database's name (${escapeForTerminal(database)}) to go on: `;
  const typed = await io.ask(question, io.interrupted).catch(() => undefined);
  if (typed === undefined) return undefined;
  if (typed.trim() === database) return database;
  throw new LamplighterError('invalid-input', `confirm restore of ${database}: "${typed.trim()}" was typed`, {
    hint: `Nothing was done. Type the database's name, ${database}.`,
  });
}
