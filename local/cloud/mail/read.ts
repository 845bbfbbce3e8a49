// Reads the mails that the local mail server kept.
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import PostalMime, { type Address } from 'postal-mime';

export const MAIL_SUFFIX = '.eml';

export interface Mail {
  file: string;
  /** When the server took it. */
  at: Date;
  from: string;
  /** The recipients of the envelope. */
  to: string;
  subject: string;
  messageId: string;
  /** The plain text, decoded. */
  text: string;
  /** All headers by lower-case name; of several with one name the first. */
  headers: ReadonlyMap<string, string>;
}

function renderAddress({ name, address }: Address): string {
  return name ? `${name} <${address}>` : (address ?? '');
}

/** Reads one mail's source. */
export async function parseMail(file: string, source: Buffer): Promise<Mail> {
  const mail = await PostalMime.parse(source);
  const headers = new Map(mail.headers.toReversed().map(({ key, value }) => [key, value]));
  return {
    file,
    at: new Date(headers.get('x-received-at') ?? 0),
    from: mail.from ? renderAddress(mail.from) : '',
    to: headers.get('x-envelope-to') ?? '',
    subject: mail.subject ?? '',
    messageId: mail.messageId ?? '',
    text: mail.text ?? '(no plain text)',
    headers,
  };
}

/** All mails in a folder, the oldest first; an empty list when there is no such folder. */
export async function readMail(dir: string): Promise<Mail[]> {
  const names = await readdir(dir).catch((error: unknown) => {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return [];
    throw error;
  });
  const files = names.filter((name) => name.endsWith(MAIL_SUFFIX) && !name.startsWith('.')).toSorted();
  return await Promise.all(files.map(async (name) => parseMail(name, await readFile(join(dir, name)))));
}
