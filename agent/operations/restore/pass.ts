// One pass of a restore: pg_restore with a list of entries, as the superuser or as the restoring role, and what PostgreSQL
// refused of them.
import { chmodSync, closeSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Writable } from 'node:stream';
import type { ListingEntry } from '#shared/backup/archive/listing.ts';
import { LamplighterError } from '#shared/errors.ts';
import { RESULT_FD, SOURCE_FD, UnpackResult } from '../../backup-unpack/protocol.ts';
import { unpackAccount } from '../../host/accounts.ts';
import { awaitEnd, type Ended, killOnAbort, mustHaveEndedWell } from '../../host/joined.ts';
import type { Cluster } from '../../host/postgres.ts';
import type { Programs } from '../../host/postgres-programs.ts';
import { type Account, startProgram } from '../../host/process.ts';
import { redact } from '../../host/redact.ts';
import { type SealedChild, startSealedChild } from '../../host/sealed-child.ts';
import { type Login, type Session, type SessionOptions, sessionOptions } from '../../host/sql-script.ts';
import type { OpenDump } from './dump.ts';
import type { Hand } from './plan.ts';
import { createRefusalReader, type Refused, type SessionLoss } from './refused.ts';

/** What all passes of one restore have in common. */
export interface Filling {
  cluster: Cluster;
  fresh: string;
  login: Login;
  dump: OpenDump;
  /** Whether the first thing that PostgreSQL refuses ends it. */
  onRefused: 'stop' | 'keep-going';
  programs: Programs;
  signal: AbortSignal;
}

export interface PassOrder {
  hand: Hand;
  entries: readonly ListingEntry[];
}

export interface PassResult {
  refused: Refused[];
  /** Of a pass with rows: what the whole dump holds. */
  decoded?: UnpackResult;
}

/** Since 17 a login may fire an event trigger: never in a superuser's session. */
const EVENT_TRIGGERS_SINCE = 17;

/** The superuser's session in a database that may hold event triggers. */
export function superuserSession(
  place: { cluster: Cluster; database: string },
  serverMajor: number,
): Session {
  return serverMajor >= EVENT_TRIGGERS_SINCE ? { ...place, settings: ['event_triggers=off'] } : place;
}

/** The session of a hand in the database that is filled. */
export function sessionOf(
  { cluster, fresh, login, programs }: Pick<Filling, 'cluster' | 'fresh' | 'login' | 'programs'>,
  hand: Hand,
): Session {
  const place = { cluster, database: fresh };
  if (hand === 'restorer') return { ...place, login };
  return superuserSession(place, programs.serverMajor);
}

/** Arguments of pg_restore: it reads the dump from its stdin and restores what the list names, in that order. */
export function restoreArguments(
  { args }: Pick<SessionOptions, 'args'>,
  listFile: string,
  onRefused: Filling['onRefused'],
): string[] {
  return [
    // Which entry was refused, it says only when it says much; one that it stops at needs no name besides its statement.
    onRefused === 'stop' ? '--exit-on-error' : '--verbose',
    '--no-owner',
    `--use-list=${listFile}`,
    ...args,
  ];
}

/** pg_restore ends with it after errors that it went on after, and after one that it broke off at. */
const EXIT_REFUSED = 1;

/** Carries a pass out. Throws `failed` with pg_restore's own words, unless it is to go on after what was refused. */
export async function runPass(filling: Filling, { hand, entries }: PassOrder): Promise<PassResult> {
  if (entries.length === 0) return { refused: [] };
  const dir = mkdtempSync(join(tmpdir(), 'lamplighter-list-'));
  try {
    const listFile = join(dir, 'list');
    writeFileSync(listFile, entries.map(({ dumpId }) => `${dumpId};\n`).join(''));
    // Numbers only; the account that restores must read them.
    chmodSync(dir, 0o755);
    chmodSync(listFile, 0o644);
    const options = await sessionOptions(sessionOf(filling, hand));
    const order = { ...options, args: restoreArguments(options, listFile, filling.onRefused) };
    return await feed(filling, order, entries);
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
}

/** After this the restore can't keep going: pg_restore does not begin in the middle of its list. */
function sessionEnded(database: string, { doing, why }: SessionLoss): LamplighterError {
  const when = doing === undefined ? '' : ` while pg_restore was ${doing}`;
  return new LamplighterError('failed', `fill ${database}: its session ended${when}: ${redact(why)}`, {
    hint: "Read the server's log. When an administrator, a restart or a crash ended the session, restore again. When it ends at the same place again, a function that runs there (for a CHECK, a generated column or a partition key) ends its own session: change that function in the database that the backup was made of, and back up again. --keep-going can't leave it out.",
  });
}

async function feed(
  filling: Filling,
  order: SessionOptions,
  entries: readonly ListingEntry[],
): Promise<PassResult> {
  const { dump, signal, onRefused, programs } = filling;
  const account = await unpackAccount();
  const restore = startProgram({ file: programs.file('pg_restore'), ...order }, ['pipe', 'ignore', 'pipe']);
  killOnAbort(restore, signal);
  const reader = createRefusalReader(entries);
  restore.stderr?.setEncoding('utf8').on('data', reader.take);
  const ended = awaitEnd('pg_restore', restore);
  const sink = restore.stdin;
  if (!sink) throw new LamplighterError('internal', 'restore: pg_restore has no stdin');
  const judge = (end: Ended): PassResult => {
    const refused = reader.refused();
    const wentOn =
      onRefused === 'keep-going' && end.code === EXIT_REFUSED && refused.length > 0 && reader.wentOn();
    const lost = end.code === EXIT_REFUSED ? reader.lost() : undefined;
    if (!wentOn && lost) throw sessionEnded(filling.fresh, lost);
    if (!wentOn) mustHaveEndedWell([end]);
    return { refused };
  };
  if (!entries.some(({ hasData }) => hasData)) {
    // pg_restore may end before it has read everything.
    sink.on('error', () => undefined);
    sink.end(dump.head);
    return judge(await ended);
  }
  const decoder = await startDecoder({ dump, sink, account, signal }).catch(async (error: unknown) => {
    restore.kill('SIGKILL');
    await ended;
    throw error;
  });
  try {
    const result = judge(await ended);
    return { ...result, decoded: await readDecoded(decoder) };
  } finally {
    decoder.process.kill('SIGKILL');
    await decoder.ended;
  }
}

interface DecoderOptions {
  dump: OpenDump;
  /** pg_restore's. */
  sink: Writable;
  account: Account;
  signal: AbortSignal;
}

/** What decodes the dump for a pg_restore that runs already; begins when it can open nothing more. */
async function startDecoder({ dump, sink, account, signal }: DecoderOptions): Promise<SealedChild> {
  const source = dump.reopen();
  try {
    const stdio: ('pipe' | number | Writable)[] = ['pipe', sink, 'pipe', 'pipe', 'pipe'];
    stdio[SOURCE_FD] = source;
    const program = { name: 'backup-unpack', args: [], account, stdio, resultFd: RESULT_FD };
    const starting = startSealedChild(program, signal);
    // The decoder has the pipe now. If this process kept it open too, pg_restore would never see its end.
    sink.destroy();
    const decoder = await starting;
    decoder.process.stdin?.end();
    return decoder;
  } finally {
    closeSync(source);
  }
}

async function readDecoded(decoder: SealedChild): Promise<UnpackResult> {
  mustHaveEndedWell([await decoder.ended]);
  const [line] = decoder.lines();
  return UnpackResult.parse(JSON.parse(line ?? 'null'));
}
