// A session of psql that stays open: one question after another over its pipes. For the catalogue only.
import type { ChildProcess } from 'node:child_process';
import { LamplighterError } from '#shared/errors.ts';
import { onLines } from '#shared/lines.ts';
import { killOnAbort } from './joined.ts';
import { NO_TRANSACTION_TIMEOUT, type SqlOptions, startPsql } from './postgres.ts';

export interface SqlSession {
  /** Throws `failed` with what psql said when the session has ended or the statement failed. */
  query(sql: string): Promise<string[]>;
  close(): void;
}

const MARK = 'lamplighter-end-of-answer';

/** Opens a session. */
export async function openSession(options: Omit<SqlOptions, 'timeoutMs'>): Promise<SqlSession> {
  const child = await startPsql(options);
  killOnAbort(child, options.signal);
  child.stdin?.write(NO_TRANSACTION_TIMEOUT);
  return { query: createDialogue(child), close: () => void child.kill('SIGTERM') };
}

function createDialogue(child: ChildProcess): (sql: string) => Promise<string[]> {
  let said = '';
  child.stderr?.setEncoding('utf8').on('data', (text: string) => {
    said = (said + text).slice(-2000);
  });
  let lines: string[] = [];
  let waiting: { resolve(answer: string[]): void; reject(error: Error): void } | undefined;
  let isOver = false;
  const fail = (): void => {
    isOver = true;
    waiting?.reject(new LamplighterError('failed', `ask PostgreSQL: ${said.trim() || 'the session ended'}`));
    waiting = undefined;
  };
  if (!child.stdout || !child.stdin) throw new LamplighterError('internal', 'ask PostgreSQL: no pipes');
  child.once('error', fail);
  child.once('close', fail);
  child.stdin.on('error', fail);
  onLines(child.stdout, (line) => {
    if (line !== MARK) {
      if (line !== '') lines.push(line);
      return;
    }
    waiting?.resolve(lines);
    waiting = undefined;
    lines = [];
  });
  const { stdin } = child;
  return (sql) =>
    new Promise((resolve, reject) => {
      if (isOver) return reject(new LamplighterError('failed', 'ask PostgreSQL: the session has ended'));
      waiting = { resolve, reject };
      stdin.write(`${sql}\n\\echo ${MARK}\n`);
    });
}
