// The record of one command's run: root's, one folder per command, durable before and after each step. The agent reads it
// to follow; recovery reads it to decide.
import { appendFileSync, existsSync, mkdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import * as z from 'zod';
import { StepPhase, type StepRecord } from '#shared/command/report.ts';
import { appendDurably, renameDurably, writeDurably } from '#shared/kit/durable-file.ts';
import { CommandId, Timestamp } from '#shared/names.ts';
import type { SignedBytes } from '#shared/signing/dsse.ts';
import { decodeSigned, encodeSigned, SignedText } from './signed-text.ts';

/** One line of steps.ndjson. */
export const StepEntry = z.strictObject({
  seq: z.int().positive(),
  at: Timestamp,
  step: z.string(),
  phase: StepPhase,
  ok: z.boolean().optional(),
  /** For people; redacted. */
  detail: z.string().max(2000).optional(),
  /** What the operator does next, when the step failed; redacted. */
  hint: z.string().max(2000).optional(),
  /** What the step needs to be undone or gone on with. */
  data: z.unknown().optional(),
});
export type StepEntry = z.infer<typeof StepEntry>;

const Handover = SignedText.extend({ owner: z.string() });

// The agent's group reads, nobody else does.
const DIRECTORY_MODE = 0o750;
const FILE_MODE = 0o640;

/** Folder of a command's run. The id was parsed, so it can't lead elsewhere. */
export function runDir(runsDir: string, id: CommandId): string {
  return join(runsDir, CommandId.parse(id));
}

/** Makes the run's folder, whole or not at all; false when there is one already: this command was here before. */
export function createRun(runsDir: string, id: CommandId, signed: SignedBytes, owner: string): boolean {
  const handover: z.infer<typeof Handover> = { ...encodeSigned(signed), owner };
  const beside = join(runsDir, `.${id}.${process.pid}`);
  mkdirSync(beside, { recursive: true, mode: DIRECTORY_MODE });
  writeDurably(join(beside, 'command.json'), JSON.stringify(handover), FILE_MODE);
  try {
    // A rename onto a folder that holds something fails: that is the guard against running a command twice.
    renameDurably(beside, runDir(runsDir, id));
    return true;
  } catch (error) {
    rmSync(beside, { recursive: true, force: true });
    if (error instanceof Error && 'code' in error && (error.code === 'ENOTEMPTY' || error.code === 'EEXIST'))
      return false;
    throw error;
  }
}

/** The command of a run as it was handed over, and which runner instance has it; undefined when the folder is not whole. */
export function readRun(runsDir: string, id: CommandId): { signed: SignedBytes; owner: string } | undefined {
  const file = join(runDir(runsDir, id), 'command.json');
  if (!existsSync(file)) return undefined;
  const { owner, ...signed } = Handover.parse(JSON.parse(readFileSync(file, 'utf8')));
  return { signed: decodeSigned(signed), owner };
}

/** Reads the step entries; a line that a crash cut short is left out. */
export function readSteps(runsDir: string, id: CommandId): StepEntry[] {
  const file = join(runDir(runsDir, id), 'steps.ndjson');
  if (!existsSync(file)) return [];
  return readFileSync(file, 'utf8')
    .split('\n')
    .flatMap((line) => {
      try {
        return line === '' ? [] : [StepEntry.parse(JSON.parse(line))];
      } catch {
        return [];
      }
    });
}

/** Appends to a run's steps. */
export interface StepWriter {
  write(entry: Omit<StepEntry, 'seq' | 'at'>): void;
}

/** A writer that goes on after what is there. */
export function openStepWriter(runsDir: string, id: CommandId, clock: () => Date): StepWriter {
  const file = join(runDir(runsDir, id), 'steps.ndjson');
  let seq = readSteps(runsDir, id).at(-1)?.seq ?? 0;
  endCutLine(file);
  return {
    write: (entry) => {
      seq += 1;
      const line: StepEntry = { seq, at: clock().toISOString(), ...entry };
      // Ends a line that a crash cut short before it adds one.
      appendDurably(file, JSON.stringify(StepEntry.parse(line)), FILE_MODE);
    },
  };
}

/** A crash may have cut the last line short: what comes next must not be glued to it. */
function endCutLine(file: string): void {
  if (existsSync(file) && !/(^|\n)$/.test(readFileSync(file, 'utf8'))) appendFileSync(file, '\n');
}

/** The run's final report: its signed bytes, as the agent carries them. */
export function writeReport(runsDir: string, id: CommandId, signed: SignedBytes): void {
  writeDurably(join(runDir(runsDir, id), 'report.json'), JSON.stringify(encodeSigned(signed)), FILE_MODE);
}

/** True once the run has ended, whatever became of its report since. */
export function hasReport(runsDir: string, id: CommandId): boolean {
  return existsSync(join(runDir(runsDir, id), 'report.json'));
}

/** The final report, or undefined while there is none. */
export function readReport(runsDir: string, id: CommandId): SignedBytes | undefined {
  const file = join(runDir(runsDir, id), 'report.json');
  if (!existsSync(file)) return undefined;
  return decodeSigned(SignedText.parse(JSON.parse(readFileSync(file, 'utf8'))));
}

/** What became of each step that began, for the report. */
export function summariseSteps(entries: readonly StepEntry[]): StepRecord[] {
  const begun = entries.filter(({ phase }) => phase === 'begin');
  return begun.map((begin) => {
    const later = entries.filter(({ step, seq }) => step === begin.step && seq > begin.seq);
    const end = later.find(({ phase }) => phase === 'end');
    const undo = later.find(({ phase }) => phase === 'undo-end');
    const detail = undo?.detail ?? end?.detail;
    return {
      name: begin.step,
      outcome: outcomeOf(end, undo),
      startedAt: begin.at,
      durationMs: end ? Math.max(0, Date.parse(end.at) - Date.parse(begin.at)) : 0,
      ...(detail === undefined ? {} : { detail }),
    };
  });
}

function outcomeOf(end: StepEntry | undefined, undo: StepEntry | undefined): StepRecord['outcome'] {
  if (undo) return undo.ok === false ? 'undo-failed' : 'undone';
  if (!end) return 'unknown';
  return end.ok === false ? 'failed' : 'done';
}
