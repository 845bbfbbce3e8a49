// Stands in for a mail provider: takes every mail on loopback and keeps it as a file. Differs from production: no TLS,
// no log-in, nothing is relayed, and no mail is larger than 10 MiB.
import { randomBytes } from 'node:crypto';
import { mkdirSync } from 'node:fs';
import { rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { SMTPServer, type SMTPServerDataStream, type SMTPServerSession } from 'smtp-server';
import { LamplighterError, messageOf } from '#shared/errors.ts';
import { MAIL_SUFFIX } from './read.ts';

export interface MailServerOptions {
  host: string;
  /** 0 takes a free one. */
  port: number;
  /** Where the mails are kept, one `.eml` file each. */
  dir: string;
  clock?: () => Date;
  /** Refuses a recipient: the text of the answer and its code, e.g. 550 or 451. */
  refuse?: (recipient: string) => { code: number; text: string } | undefined;
}

export interface MailServer {
  /** `smtp://127.0.0.1:PORT` */
  url: string;
  close(): Promise<void>;
}

const MAX_MAIL_BYTES = 10 * 1024 * 1024;

function smtpError(code: number, text: string): Error {
  return Object.assign(new Error(text), { responseCode: code });
}

async function collect(stream: SMTPServerDataStream): Promise<Buffer> {
  const parts: Buffer[] = [];
  let bytes = 0;
  for await (const part of stream) {
    if (!Buffer.isBuffer(part)) continue;
    bytes += part.byteLength;
    // The rest is read and dropped: the protocol has no way to stop a sender.
    if (bytes <= MAX_MAIL_BYTES) parts.push(part);
  }
  if (bytes > MAX_MAIL_BYTES) throw smtpError(552, 'message exceeds 10 MiB');
  return Buffer.concat(parts);
}

/** A reader of the folder sees whole mails only. */
async function keep(dir: string, session: SMTPServerSession, mail: Buffer, at: Date): Promise<string> {
  const id = `${at.toISOString().replaceAll(/[-:]/g, '')}-${randomBytes(4).toString('hex')}`;
  const recipients = session.envelope.rcptTo.map(({ address }) => address).join(', ');
  const head = `X-Envelope-To: ${recipients}\r\nX-Received-At: ${at.toISOString()}\r\n`;
  const partial = join(dir, `.${id}.part`);
  try {
    await writeFile(partial, Buffer.concat([Buffer.from(head), mail]), { mode: 0o600 });
    await rename(partial, join(dir, `${id}${MAIL_SUFFIX}`));
  } catch (error) {
    await rm(partial, { force: true });
    throw error;
  }
  return id;
}

/** Starts the server. Throws `unavailable` when the port can't be had. */
export async function startMailServer(options: MailServerOptions): Promise<MailServer> {
  const { host, dir, clock = () => new Date(), refuse = () => undefined } = options;
  mkdirSync(dir, { recursive: true, mode: 0o700 });
  const take = async (
    stream: SMTPServerDataStream,
    session: SMTPServerSession,
    done: (error: Error | null, text?: string) => void,
  ): Promise<void> => {
    let id: string;
    try {
      id = await keep(dir, session, await collect(stream), clock());
    } catch (error) {
      done(error instanceof Error ? error : new Error(messageOf(error)));
      return;
    }
    done(null, `kept as ${id}`);
  };
  const server = new SMTPServer({
    name: 'lamplighter-local-mail',
    disabledCommands: ['AUTH', 'STARTTLS'],
    disableReverseLookup: true,
    size: MAX_MAIL_BYTES,
    logger: false,
    closeTimeout: 1000,
    onRcptTo: ({ address }, _session, done) => {
      const refusal = refuse(address);
      done(refusal ? smtpError(refusal.code, refusal.text) : null);
    },
    onData: (stream, session, done) => {
      void take(stream, session, done);
    },
  });
  // A client may break its connection; without a listener the error would end this process.
  server.on('error', () => undefined);
  const port = await listen(server, host, options.port);
  return {
    url: `smtp://${host}:${port}`,
    close: () => new Promise((resolve) => server.close(() => resolve())),
  };
}

function listen(server: SMTPServer, host: string, port: number): Promise<number> {
  return new Promise((resolve, reject) => {
    const onError = (error: Error): void =>
      reject(
        new LamplighterError('unavailable', `start mail server on ${host}:${port}: ${error.message}`, {
          cause: error,
        }),
      );
    server.server.once('error', onError);
    server.listen(port, host, () => {
      server.server.off('error', onError);
      const address = server.server.address();
      resolve(typeof address === 'object' && address !== null ? address.port : port);
    });
  });
}
