// The runner's entry, root. `run`: one command, handed over on the socket that systemd passed as stdin. `recover`: after a
// runner ended without a report (ExecStopPost=, OnFailure=), at boot and from time to time, brings what it left to an end.
// `upload`: from time to time, uploads backups whose own command could not.
import { existsSync, mkdirSync, readFileSync } from 'node:fs';
import { Socket } from 'node:net';
import { hintOf, messageOf } from '#shared/errors.ts';
import { CommandId } from '#shared/names.ts';
import { parseOptions } from '#shared/options.ts';
import { keySigner } from '#shared/signing/key-signer.ts';
import { readConfig, readPinnedKeys } from '../config/config.ts';
import { PATHS } from '../config/paths.ts';
import { hideValues, withholdLines } from '../host/redact.ts';
import { readSecretValues } from '../host/secret-files.ts';
import { isSystemStopping, isUnitOver } from '../host/systemd.ts';
import { listLocalBackups } from '../operations/backup/store.ts';
import { uploadDue } from '../operations/backup/upload.ts';
import { sweepWorkDirs } from '../operations/restore/work.ts';
import { loadPolicy } from '../policy/load.ts';
import { pruneRuns, type UnfinishedRun, unfinishedRuns } from './left-over.ts';
import { openLocks } from './locks.ts';
import { type Runner, recover } from './run.ts';
import { serveHandover } from './serve.ts';
import { hasReport, runDir } from './step-record.ts';
import { brief } from './steps.ts';

/** How much older than the newest a record of a run may be: far more than an envelope can live. */
const KEEP_RUNS_MS = 30 * 24 * 60 * 60 * 1000;
/** The unit's own limit is a little longer. */
const UPLOAD_TIMEOUT_MS = 6 * 60 * 60 * 1000;

function say(msg: string, fields: Record<string, unknown> = {}): void {
  console.log(JSON.stringify({ msg, ...fields }));
}

function sayUnreadable(commandId: string, error: unknown): void {
  say('the record of a run can not be read', { commandId, error: messageOf(error) });
}

function isOver(commandId: string): boolean {
  const id = CommandId.safeParse(commandId);
  // The folder is made before a lock is taken: one that is gone was cleared away long after its end.
  return !id.success || !existsSync(runDir(PATHS.runs, id.data)) || hasReport(PATHS.runs, id.data);
}

/** Nothing that this process tells holds a value of the files that the policy calls secret. */
function hideSecrets(host: string): void {
  let files: readonly string[];
  try {
    files = loadPolicy(PATHS.policy, host).policy.secretFiles;
  } catch {
    // Without a policy every command is rejected, with the reason.
    return;
  }
  try {
    hideValues(readSecretValues(files));
  } catch (error) {
    say('secret files can not be read', { error: messageOf(error) });
    withholdLines(messageOf(error));
  }
}

function openRunner(): Runner {
  const { host } = readConfig(PATHS.config);
  mkdirSync(PATHS.runs, { recursive: true, mode: 0o750 });
  return {
    host,
    runsDir: PATHS.runs,
    policyFile: PATHS.policy,
    pinnedKeys: readPinnedKeys(PATHS.pinnedKeys),
    signer: keySigner(readFileSync(PATHS.runnerKey, 'utf8')),
    locks: openLocks(PATHS.locks, isOver),
    clock: () => new Date(),
    hideSecrets: () => hideSecrets(host),
    onStuck: (step) => {
      say('a step does not stop', { step });
      // Ending the process ends its control group, and calls the recovery.
      process.exit(1);
    },
  };
}

async function recoverRuns(left: readonly UnfinishedRun[]): Promise<void> {
  if (left.length === 0) return;
  const runner = openRunner();
  for (const { envelope } of left) {
    say('recovering an interrupted command', { commandId: envelope.id, operation: envelope.operation });
    await recover(runner, envelope).catch((error: unknown) =>
      say('recovery failed; it is taken up again', { commandId: envelope.id, error: messageOf(error) }),
    );
  }
}

async function recoverOwn(instance: string): Promise<void> {
  const own = unfinishedRuns(PATHS.runs, sayUnreadable).filter(({ owner }) => owner === instance);
  if (own.length === 0) return;
  // Services are being stopped under it, so nothing could be put right now; at boot it is done in peace.
  if (await isSystemStopping()) return say('left for the next boot', { runs: own.length });
  await recoverRuns(own);
}

async function isOwnerGone(owner: string): Promise<boolean> {
  return owner === '' || (await isUnitOver(`lamplighter-run@${owner}.service`));
}

async function recoverOrphans(): Promise<void> {
  const unfinished = unfinishedRuns(PATHS.runs, sayUnreadable);
  const isOrphan = await Promise.all(unfinished.map(({ owner }) => isOwnerGone(owner)));
  await recoverRuns(unfinished.filter((_run, i) => isOrphan[i]));
  sweepWorkDirs(PATHS.work, isOver, (commandId, error) =>
    say('the work directory of a restore can not be removed', { commandId, error }),
  );
  pruneRuns(PATHS.runs, KEEP_RUNS_MS);
}

/** The backup was ordered by a command that held; this finishes what it left, as the recovery does. */
async function uploadOutstanding(): Promise<void> {
  const { host } = readConfig(PATHS.config);
  const { policy } = loadPolicy(PATHS.policy, host);
  if (!policy.backup) return;
  const unfinished = unfinishedRuns(PATHS.runs, sayUnreadable);
  const underway = new Set(unfinished.map(({ envelope }) => envelope.id));
  hideSecrets(host);
  const { bucket, localDir } = policy.backup;
  const place = { host, bucket, signal: AbortSignal.timeout(UPLOAD_TIMEOUT_MS) };
  const note = (text: string): void => say('a backup is not uploaded', { error: brief(text) });
  const { uploaded, left } = await uploadDue(
    place,
    { backups: listLocalBackups(localDir), policy, underway },
    note,
  );
  if (uploaded.length > 0) say('uploaded backups that had been left behind', { uploaded, left });
}

const USAGE = 'usage: runner run|recover|upload [--instance NAME] [--all]';
const OPTIONS = {
  allowPositionals: true,
  options: { instance: { type: 'string' }, all: { type: 'boolean', default: false } },
} as const;
try {
  const { positionals, values } = parseOptions(OPTIONS, USAGE);
  if (positionals[0] === 'run') {
    const socket = new Socket({ fd: 0, readable: true, writable: true });
    await serveHandover(socket, values.instance ?? '', openRunner);
  } else if (positionals[0] === 'recover' && values.all) await recoverOrphans();
  else if (positionals[0] === 'recover') await recoverOwn(values.instance ?? '');
  else if (positionals[0] === 'upload') await uploadOutstanding();
  else throw new Error(USAGE);
} catch (error) {
  console.error(JSON.stringify({ msg: 'runner failed', error: messageOf(error), hint: hintOf(error) }));
  process.exitCode = 1;
}
