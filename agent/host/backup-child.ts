// Starts the unprivileged child of a backup, which has the network. It gets finished files as descriptors, open for reading.
import type { ChildProcess } from 'node:child_process';
import { LamplighterError } from '#shared/errors.ts';
import { EXIT_NOT_FOUND, RESULT_FD, StreamResult } from '../backup-stream/protocol.ts';
import { googleEnvironment } from '../config/google-credentials.ts';
import { PATHS } from '../config/paths.ts';
import { awaitEnd, type Ended, killOnAbort, mustHaveEndedWell } from './joined.ts';
import { type Account, startProgram } from './process.ts';

const NODE = `${PATHS.program}/bin/node`;
const STREAM = `${PATHS.program}/lib/backup-stream.mjs`;
const NAME = 'backup-stream';

export interface BackupChild {
  process: ChildProcess;
  ended: Promise<Ended>;
  /**
   * What went through, once the child has ended. Throws `failed` with the end of the child's stderr, `not-found` without such
   * an object.
   */
  result(): Promise<StreamResult>;
}

export interface ChildStreams {
  stdout: 'pipe' | 'ignore';
  /** Open files that it is given to upload. */
  files?: readonly number[];
}

function collectResult(child: ChildProcess): () => string {
  let line = '';
  const results = child.stdio[RESULT_FD];
  if (results && 'setEncoding' in results) {
    results.setEncoding('utf8').on('data', (text: string) => {
      line += text;
    });
  }
  return () => line;
}

/** Where the bucket is and who asks. */
function childEnvironment(): Record<string, string> {
  const endpoint = process.env.STORAGE_API_ENDPOINT;
  return {
    HOME: '/nonexistent',
    ...googleEnvironment(),
    ...(endpoint === undefined ? {} : { STORAGE_API_ENDPOINT: endpoint }),
  };
}

/** Starts the child in a mode, as its own account (`uploadAccount`). */
export function startBackupChild(
  account: Account,
  args: readonly string[],
  streams: ChildStreams,
  signal: AbortSignal,
): BackupChild {
  const child = startProgram(
    {
      file: NODE,
      args: ['--no-deprecation', '--disable-warning=ExperimentalWarning', STREAM, ...args],
      account,
      env: childEnvironment(),
    },
    ['ignore', streams.stdout, 'pipe', 'pipe', ...(streams.files ?? [])],
  );
  killOnAbort(child, signal);
  const ended = awaitEnd(NAME, child);
  const line = collectResult(child);
  return {
    process: child,
    ended,
    result: async () => {
      const end = await ended;
      if (end.code === EXIT_NOT_FOUND) {
        throw new LamplighterError('not-found', `run ${NAME}: ${end.said}`);
      }
      mustHaveEndedWell([end]);
      return StreamResult.parse(JSON.parse(line()));
    },
  };
}
