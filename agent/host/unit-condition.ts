// A Condition…= of a unit file that kept systemd from starting the unit, which systemd does not call a failure.
import { PATHS } from '../config/paths.ts';
import { runProgram } from './process.ts';

const TIMEOUT_MS = 10_000;
/** SD_MESSAGE_UNIT_STARTED of sd-messages.h: systemd ends each start of a unit with it, also one that a condition cut short. */
const START_ENDED = '39f53479d3a045ac8e11786248231fbf';
const UNMET = /^\S+: (Condition\w+=.*) failed\.$/m;

/** The first Condition…= in the output of systemd-analyze(1) that does not hold. */
export function parseUnmetCondition(text: string): string | undefined {
  return UNMET.exec(text)?.[1];
}

/** True when systemd's last entry about a start in the journal says that a condition did not hold (systemd 249 and before). */
export function isSkipped(message: string): boolean {
  return message.startsWith('Condition check resulted in ');
}

/**
 * The condition that keeps a unit from starting. systemctl calls that a success, and systemd forgets what nothing refers to, so
 * the conditions are asked for once more. Undefined when all hold, or nobody can tell.
 */
export async function findUnmetCondition(unit: string): Promise<string | undefined> {
  try {
    const { code, stdout, stderr } = await runProgram({
      file: PATHS.systemdAnalyze,
      args: ['condition', `--unit=${unit}`],
      timeoutMs: TIMEOUT_MS,
    });
    if (code === 0) return undefined;
    return parseUnmetCondition(`${stdout}\n${stderr}`) ?? (await askJournal(unit));
  } catch {
    return undefined;
  }
}

/** Before systemd 250 nobody can ask for a unit's conditions: its journal says what became of the last start. */
async function askJournal(unit: string): Promise<string | undefined> {
  await runProgram({ file: PATHS.journalctl, args: ['--sync'], timeoutMs: TIMEOUT_MS });
  // The journal knows a unit by its own name, whatever alias it was started by.
  const own = await runProgram({
    file: PATHS.systemctl,
    args: ['show', '--property=Id', '--value', '--', unit],
    timeoutMs: TIMEOUT_MS,
  });
  const { stdout } = await runProgram({
    file: PATHS.journalctl,
    args: ['--quiet', '--no-pager', '--output=cat', '--lines=1', ...journalMatch(own.stdout.trim())],
    timeoutMs: TIMEOUT_MS,
  });
  return isSkipped(stdout) ? 'a condition of its unit file' : undefined;
}

/** systemd itself said it, of this unit. */
function journalMatch(unit: string): string[] {
  return ['_PID=1', `UNIT=${unit}`, `MESSAGE_ID=${START_ENDED}`];
}
