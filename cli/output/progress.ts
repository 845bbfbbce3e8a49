// What a person sees while a command runs: a line for each thing that happened, and on a terminal a spinner for what goes on.
import type { CommandEvent, CommandView, HostContact } from '#shared/api/views.ts';
import type { WaitListener } from '../command/wait-for-command.ts';
import type { Io } from '../io.ts';
import { escapeForTerminal } from './escape.ts';
import { formatElapsed } from './quantity.ts';
import { describeContact, describeSilence } from './silence.ts';
import { type Palette, palette } from './style.ts';
import { truncate } from './width.ts';

export interface ProgressView extends WaitListener {
  /** Takes the spinner away; call it before anything else is printed. */
  close(): void;
}

const FRAMES = ['⠋', '⠙', '⠹', '⠸', '⠼', '⠴', '⠦', '⠧', '⠇', '⠏'];
const FRAME_MS = 100;
const CLEAR_LINE = '\r\u001b[2K';

/** Shows nothing but that a host is silent, on standard error: for `--json`, and where the result is all that is wanted. */
export function quietProgress(io: Pick<Io, 'err'>): ProgressView {
  let isSilenceTold = false;
  return {
    onProgress({ command, contact }) {
      const silence = describeSilence(command, contact);
      if (silence && !isSilenceTold) io.err(`${silence}\n`);
      isSilenceTold ||= silence !== undefined;
    },
    onConnectionLost: () => undefined,
    onConnectionBack: () => undefined,
    close: () => undefined,
  };
}

/** Prints progress to standard output; connection troubles go to standard error. */
export function progressView(io: Io): ProgressView {
  const paint = palette(io, io.stdoutIsTty);
  const spinner = io.stdoutIsTty && io.env['TERM'] !== 'dumb' ? terminalSpinner(io) : undefined;
  let isSilenceTold = false;
  const print = (line: string) => {
    spinner?.clear();
    io.out(`${line}\n`);
  };
  return {
    onProgress({ command, events, contact }) {
      for (const event of events) {
        const line = describeEvent(event, command, paint);
        if (line) print(`  ${paint.dim(elapsedOf(event, command).padStart(9))}  ${line}`);
      }
      const silence = describeSilence(command, contact);
      if (silence && !isSilenceTold) print(`  ${paint.yellow(silence)}`);
      isSilenceTold ||= silence !== undefined;
      spinner?.show(currentActivity(command, events, contact));
    },
    onConnectionLost(reason) {
      spinner?.clear();
      io.err(`  connection lost (${escapeForTerminal(reason)}); the command goes on, trying again\n`);
    },
    onConnectionBack: () => {
      spinner?.clear();
      io.err('  connected again\n');
    },
    close: () => spinner?.stop(),
  };
}

function elapsedOf(event: CommandEvent, command: CommandView): string {
  return formatElapsed(Date.parse(event.at) - Date.parse(command.requestedAt));
}

function describeEvent(event: CommandEvent, command: CommandView, paint: Palette): string | undefined {
  const detail = event.detail ? `: ${escapeForTerminal(event.detail)}` : '';
  if (event.kind === 'refused') return paint.red(`refused${detail}`);
  if (event.kind === 'step') return describeStep(event, detail, paint);
  const host = escapeForTerminal(command.host);
  if (event.state === 'sent') return `sent to ${host}`;
  if (event.state === 'accepted') return `accepted by ${host}`;
  // The others are said by the steps and by the last line.
  return undefined;
}

function describeStep(event: CommandEvent, detail: string, paint: Palette): string {
  const name = escapeForTerminal(event.step ?? 'step');
  switch (event.phase) {
    case 'end':
      return event.ok === false ? paint.red(`✗ ${name}${detail}`) : `${paint.green('✓')} ${name}${detail}`;
    case 'undo-begin':
      return paint.yellow(`undo ${name}${detail}`);
    case 'undo-end':
      return event.ok === false
        ? paint.red(`✗ undo ${name}${detail}`)
        : `${paint.green('✓')} undo ${name}${detail}`;
    case 'begin':
    case 'note':
    case undefined:
      return `${name}${detail}`;
  }
}

function currentActivity(
  command: CommandView,
  events: CommandEvent[],
  contact: HostContact | null,
): string | undefined {
  const step = events.findLast((event) => event.kind === 'step');
  if (step && (step.phase === 'begin' || step.phase === 'undo-begin')) return step.step;
  if (contact && command.state === 'sent') return `waiting for ${command.host}, ${describeContact(contact)}`;
  return command.state;
}

interface Spinner {
  show(activity: string | undefined): void;
  clear(): void;
  stop(): void;
}

function terminalSpinner(io: Io): Spinner {
  const startedAtMs = io.nowMs();
  let activity: string | undefined;
  let frame = 0;
  let isDrawn = false;
  const clear = () => {
    if (isDrawn) io.out(CLEAR_LINE);
    isDrawn = false;
  };
  const draw = () => {
    if (!activity) return;
    frame = (frame + 1) % FRAMES.length;
    const elapsed = formatElapsed(io.nowMs() - startedAtMs);
    // The time stands where the lines above have theirs, and is never cut.
    const line = `  ${elapsed.padStart(9)}  ${FRAMES[frame] ?? ''} ${escapeForTerminal(activity)}`;
    io.out(`${CLEAR_LINE}${truncate(line, io.columns() - 1)}`);
    isDrawn = true;
  };
  const timer = setInterval(draw, FRAME_MS);
  return {
    show(next) {
      activity = next ?? activity;
      // At once: what goes on may be over before the next frame.
      draw();
    },
    clear,
    stop() {
      clearInterval(timer);
      clear();
    },
  };
}
