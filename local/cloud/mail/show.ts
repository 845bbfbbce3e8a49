// `npm run mail`: prints the mails that the local mail server received.
import { join } from 'node:path';
import { LamplighterError } from '#shared/errors.ts';
import { parseOptions } from '#shared/options.ts';
import { type Mail, readMail } from './read.ts';

const HELP = `Usage: npm run mail -- [options] [DIR]

Prints the mails that the local stack sent, the oldest first.

  -n, --last N  print only the last N mails
  --help        print this text

DIR is the directory of the mails (default .lamplighter/mail).
`;

const DEFAULT_DIR = join(import.meta.dirname, '../../../.lamplighter/mail');

/** One mail as text for a terminal. */
export function renderMail(mail: Mail): string {
  const head = [
    `Date:    ${mail.at.toISOString()}`,
    `From:    ${mail.from}`,
    `To:      ${mail.to}`,
    `Subject: ${mail.subject}`,
  ];
  // Control characters are replaced: a mail must not control the reader's terminal.
  const text = mail.text.replaceAll('\r\n', '\n').replaceAll(/(?!\n|\t)\p{Cc}/gu, '?');
  return `${head.join('\n').replaceAll(/(?!\n)\p{Cc}/gu, '?')}\n\n${text.trimEnd()}\n`;
}

async function main(args: string[]): Promise<number> {
  const config = {
    args,
    allowPositionals: true,
    options: { last: { type: 'string', short: 'n' }, help: { type: 'boolean', default: false } },
  } as const;
  const { values, positionals } = parseOptions(config, 'Run npm run mail -- --help to see the options.');
  if (values.help) {
    process.stdout.write(HELP);
    return 0;
  }
  const last = values.last === undefined ? Number.POSITIVE_INFINITY : Number(values.last);
  if (!(last >= 1) || positionals.length > 1) {
    process.stderr.write(HELP);
    return 2;
  }
  const dir = positionals[0] ?? DEFAULT_DIR;
  const mails = await readMail(dir);
  if (mails.length === 0) {
    process.stdout.write(`no mail in ${dir}\n`);
    return 0;
  }
  const shown = mails.slice(-Math.min(last, mails.length));
  process.stdout.write(shown.map(renderMail).join(`\n${'-'.repeat(72)}\n\n`));
  return 0;
}

if (import.meta.main) {
  try {
    process.exitCode = await main(process.argv.slice(2));
  } catch (error) {
    if (!(error instanceof LamplighterError)) throw error;
    process.stderr.write(`${error.message}\n${error.hint ?? ''}\n`);
    process.exitCode = 2;
  }
}
