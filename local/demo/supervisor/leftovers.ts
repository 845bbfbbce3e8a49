// Processes that a killed supervisor left behind where the kernel could not end them with it. They are found by the host's
// root, which all of them have in their command line.
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { lookUntil } from '#local/wait.ts';
import { signalGroup } from './spawn-unit.ts';

const PS_FILES = ['/bin/ps', '/usr/bin/ps'];
const PATIENCE_MS = 5000;
const POLL_MS = 100;

/** Process groups whose leader's command line names `root`, from the output of `ps -A -o pid=,pgid=,command=`. */
export function parseLeaders(text: string, root: string, self: number): number[] {
  return text.split('\n').flatMap((line) => {
    const [, pid, pgid, command = ''] = /^\s*(\d+)\s+(\d+)\s+(.*)$/.exec(line) ?? [];
    const isOurs = pid === pgid && Number(pid) !== self && command.includes(`${root}/`);
    return isOurs ? [Number(pid)] : [];
  });
}

async function findLeaders(root: string): Promise<number[]> {
  for (const file of PS_FILES) {
    const answer = await promisify(execFile)(file, ['-A', '-o', 'pid=,pgid=,command='], {
      maxBuffer: 16e6,
    }).catch(() => undefined);
    if (answer) return parseLeaders(answer.stdout, root, process.pid);
  }
  return [];
}

/** Ends the processes that an earlier run left on this root. SIGINT comes first, so that a database writes its data. */
export async function reapSupervised(root: string): Promise<void> {
  for (const pid of await findLeaders(root)) signalGroup(pid, 'SIGINT');
  const isGone = async (): Promise<true | undefined> =>
    (await findLeaders(root)).length === 0 ? true : undefined;
  while (!(await lookUntil(isGone, { withinMs: PATIENCE_MS, everyMs: POLL_MS }))) {
    for (const pid of await findLeaders(root)) signalGroup(pid, 'SIGKILL');
  }
}
