// Reads the mails that the local mail server kept: enough of MIME for what our functions send, and for a glance at others.
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { decodeBody, decodeWords } from './decode.ts';

export const MAIL_SUFFIX = '.eml';

export interface Mail {
  file: string;
  /** When the server took it. */
  at: Date;
  from: string;
  /** Who it was handed in for. */
  to: string;
  subject: string;
  messageId: string;
  /** The plain text, decoded. */
  text: string;
  /** All headers by lower-case name; of several with one name the first. */
  headers: ReadonlyMap<string, string>;
}

interface Entity {
  headers: Map<string, string>;
  body: string;
}

/** Splits headers from the body and unfolds them (RFC 5322, 2.2.3). Bytes are kept as Latin-1 until they are decoded. */
function parseEntity(source: string): Entity {
  const end = /\r?\n\r?\n/.exec(source);
  const head = end ? source.slice(0, end.index) : source;
  const body = end ? source.slice(end.index + end[0].length) : '';
  const headers = new Map<string, string>();
  for (const line of head.replaceAll(/\r?\n[ \t]+/g, ' ').split(/\r?\n/)) {
    const colon = line.indexOf(':');
    const name = line.slice(0, colon).trim().toLowerCase();
    if (colon > 0 && !headers.has(name)) headers.set(name, line.slice(colon + 1).trim());
  }
  return { headers, body };
}

function boundaryOf(contentType: string): string | undefined {
  const found = /^multipart\/.*\bboundary="?([^";]+)"?/i.exec(contentType);
  return found?.[1];
}

/** The first plain text of an entity; nested parts are walked in order. */
function plainText(entity: Entity, depth = 0): string | undefined {
  const type = entity.headers.get('content-type') ?? 'text/plain';
  const boundary = boundaryOf(type);
  if (boundary !== undefined && depth < 10) {
    const parts = entity.body.split(`--${boundary}`).slice(1);
    for (const part of parts) {
      if (part.startsWith('--')) break;
      const text = plainText(parseEntity(part.replace(/^\r?\n/, '')), depth + 1);
      if (text !== undefined) return text;
    }
    return undefined;
  }
  if (!/^text\/plain/i.test(type)) return undefined;
  return decodeBody(entity.body, entity.headers.get('content-transfer-encoding') ?? '7bit');
}

/** Reads one mail's source. */
export function parseMail(file: string, source: Buffer): Mail {
  const entity = parseEntity(source.toString('latin1'));
  const header = (name: string): string => decodeWords(entity.headers.get(name) ?? '');
  return {
    file,
    at: new Date(entity.headers.get('x-received-at') ?? 0),
    from: header('from'),
    to: header('x-envelope-to'),
    subject: header('subject'),
    messageId: header('message-id'),
    text: plainText(entity) ?? '(no plain text)',
    headers: entity.headers,
  };
}

/** All mails in a folder, the oldest first; none when there is no such folder. */
export async function readMail(dir: string): Promise<Mail[]> {
  const names = await readdir(dir).catch((error: unknown) => {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return [];
    throw error;
  });
  const files = names.filter((name) => name.endsWith(MAIL_SUFFIX) && !name.startsWith('.')).toSorted();
  return await Promise.all(files.map(async (name) => parseMail(name, await readFile(join(dir, name)))));
}
