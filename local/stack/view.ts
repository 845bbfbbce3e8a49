// The live view of `npm start`: what one wants to know at a glance, redrawn in place on a terminal, and nowhere else.
import { escapeForTerminal } from '#cli/output/escape.ts';
import type { BackupView, CheckView, CommandView, StatusView } from '#shared/api/views.ts';
import { clipLine } from './clip.ts';

export interface ViewFrame {
  status: StatusView;
  url: string;
  columns: number;
  useColour: boolean;
}

type Tone = 'good' | 'bad' | 'dim' | 'bold' | 'warn';
const CODES: Record<Tone, [number, number]> = {
  good: [32, 39],
  bad: [31, 39],
  warn: [33, 39],
  dim: [2, 22],
  bold: [1, 22],
};

interface Painter {
  (tone: Tone, text: string): string;
}

function painter(useColour: boolean): Painter {
  return (tone, given) => {
    // Some of it came from elsewhere, such as what a check found: it must not steer the terminal.
    const text = escapeForTerminal(given);
    return useColour ? `\u001b[${CODES[tone][0]}m${text}\u001b[${CODES[tone][1]}m` : text;
  };
}

function cell(text: string, width: number): string {
  // The last character of a cell stays free, so that columns never touch.
  return text.length >= width ? `${text.slice(0, width - 2)}… ` : text.padEnd(width);
}

/** Seconds, minutes, hours or days since `at`, in one unit. */
export function ageOf(at: string | null, now: string): string {
  if (at === null) return 'never';
  const seconds = Math.max(0, Math.round((Date.parse(now) - Date.parse(at)) / 1000));
  if (seconds < 120) return `${seconds} s`;
  if (seconds < 7200) return `${Math.round(seconds / 60)} min`;
  if (seconds < 172_800) return `${Math.round(seconds / 3600)} h`;
  return `${Math.round(seconds / 86_400)} d`;
}

function checkLine(check: CheckView, now: string, paint: Painter): string {
  const tone = check.state === 'passing' ? 'good' : check.state === 'failing' ? 'bad' : 'warn';
  const latency = check.latencyMs === null ? '' : `${Math.round(check.latencyMs)} ms`;
  const detail =
    check.state === 'passing' ? `looked ${ageOf(check.lastRunAt, now)} ago` : (check.detail ?? '');
  return `  ${paint(tone, '●')} ${cell(check.name, 16)}${paint(tone, cell(check.state, 10))}${cell(latency, 9)}${paint('dim', detail)}`;
}

function commandLine(command: CommandView, now: string, paint: Painter): string {
  const isGood = command.state === 'succeeded';
  const tone = isGood ? 'good' : command.finishedAt === null ? 'warn' : 'bad';
  const age = `${ageOf(command.requestedAt, now)} ago`;
  const why = isGood ? '' : (command.message ?? '');
  return `  ${paint('dim', cell(age, 11))}${cell(command.operation, 17)}${cell(subjectOf(command), 24)}${paint(tone, cell(command.state, 12))}${paint('dim', `${command.actor.name}  ${why}`)}`;
}

function subjectOf(command: CommandView): string {
  const { service, backup, host } = command.params;
  const subject = service ?? backup ?? host ?? '';
  return typeof subject === 'string' ? subject : '';
}

function backupLine(backup: BackupView | null, now: string, paint: Painter): string {
  if (!backup) return `  ${paint('warn', 'none yet')}`;
  const tone = backup.proof.state === 'verified' ? 'good' : backup.proof.state === 'corrupt' ? 'bad' : 'warn';
  const size = `${(backup.bytes / 1e6).toFixed(1)} MB, ${backup.tables} tables, ${backup.rows.toLocaleString('en')} rows`;
  const proof =
    backup.proof.at === null
      ? backup.proof.state
      : `${backup.proof.state} ${ageOf(backup.proof.at, now)} ago`;
  return `  ${cell(backup.id, 26)}${paint(tone, cell(proof, 22))}${paint('dim', size)}`;
}

function serviceLines(status: StatusView, paint: Painter): string[] {
  return status.services.map((service) => {
    const isUp = service.activeState === 'active';
    const state = `${service.activeState} (${service.subState})`;
    const age = isUp ? `for ${ageOf(service.activeSince, status.at)}` : '';
    return `  ${paint(isUp ? 'good' : 'bad', '●')} ${cell(service.name, 16)}${cell(service.unit, 32)}${paint(isUp ? 'good' : 'bad', cell(state, 20))}${paint('dim', age)}`;
  });
}

function alertLines(status: StatusView, paint: Painter): string[] {
  if (status.alerts.length === 0) return [`  ${paint('good', 'none firing')}`];
  return status.alerts.map((alert) => {
    const head = `${alert.severity} ${alert.level}`;
    return `  ${paint('bad', cell(head, 14))}${cell(alert.summary, 52)}${paint('dim', `${alert.incident ?? ''} ${ageOf(alert.firedAt, status.at)}`)}`;
  });
}

/** One frame as lines, none wider than `columns` cells. */
export function drawFrame({ status, url, columns, useColour }: ViewFrame): string[] {
  const paint = painter(useColour);
  const host = status.hosts[0];
  const heartbeat = host ? `${host.name} heartbeat ${ageOf(host.lastHeartbeatAt, status.at)} ago` : '';
  const lines = [
    `${paint('bold', 'Lamplighter')}  ${paint('dim', `${url}  ${status.at.slice(11, 19)} UTC  ${heartbeat}`)}`,
    '',
    paint('bold', 'Services'),
    ...serviceLines(status, paint),
    paint('bold', 'Checks from outside'),
    ...status.checks.map((check) => checkLine(check, status.at, paint)),
    paint('bold', 'Alerts'),
    ...alertLines(status, paint),
    paint('bold', 'Last commands'),
    ...status.commands.slice(0, 5).map((command) => commandLine(command, status.at, paint)),
    paint('bold', 'Last backup'),
    backupLine(status.lastBackup, status.at, paint),
    '',
    paint('dim', 'Try, in another terminal here:'),
    '  npx lamp status      npx lamp restart web      npx lamp backup',
    paint('dim', 'Ctrl-C stops everything; the state is kept.'),
  ];
  return lines.map((line) => clipLine(line, columns));
}

/** Writes a frame over the one before it; of one that is higher than the terminal, what fits. */
export function redraw(out: NodeJS.WriteStream, lines: readonly string[]): void {
  const fitting = lines.slice(0, Math.max(1, out.rows - 1));
  out.write(`\u001b[H${fitting.map((line) => `${line}\u001b[K`).join('\n')}\n\u001b[J`);
}
