// Draws the live view of `npm start` as lines.
import { joinFitting } from '#cli/output/line.ts';
import { formatBytes, formatCount } from '#cli/output/quantity.ts';
import { type Palette, palette } from '#cli/output/style.ts';
import { type Cell, type Column, renderTable } from '#cli/output/table.ts';
import { truncate } from '#cli/output/width.ts';
import type {
  AlertView,
  BackupView,
  CheckView,
  CommandView,
  ServiceView,
  StatusView,
} from '#shared/api/views.ts';

export interface ViewFrame {
  status: StatusView;
  url: string;
  columns: number;
  /** Lines that the terminal has; `Infinity` without a limit. */
  rows: number;
  useColour: boolean;
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

/** One section of the view: its title, and a table without column titles. */
interface Section {
  title: string;
  columns: readonly Column[];
  rows: (string | Cell)[][];
}

type Draw<T> = (item: T, now: string, paint: Palette) => (string | Cell)[];

const DOT = '●';

// Titles are not shown; they say what a column holds.
const SERVICE_COLUMNS = [
  { title: 'dot' },
  { title: 'name' },
  { title: 'unit', flexible: true, least: 14, dispensable: 1 },
  { title: 'state' },
  { title: 'for', dispensable: 2 },
];
const drawService: Draw<ServiceView> = (service, now, paint) => {
  const isUp = service.activeState === 'active';
  const tint = isUp ? paint.green : paint.red;
  const state = `${service.activeState} (${service.subState})`;
  const age = isUp ? `for ${ageOf(service.activeSince, now)}` : '';
  return [
    { text: DOT, paint: tint },
    service.name,
    service.unit,
    { text: state, paint: tint },
    { text: age, paint: paint.dim },
  ];
};

const CHECK_COLUMNS = [
  { title: 'dot' },
  { title: 'name' },
  { title: 'state' },
  { title: 'latency', align: 'right' as const, dispensable: 1 },
  { title: 'detail', flexible: true, least: 16 },
];
const drawCheck: Draw<CheckView> = (check, now, paint) => {
  const tints = { passing: paint.green, failing: paint.red, unknown: paint.yellow };
  const tint = tints[check.state];
  const isPassing = check.state === 'passing';
  return [
    { text: DOT, paint: tint },
    check.name,
    { text: check.state, paint: tint },
    check.latencyMs === null ? '' : `${Math.round(check.latencyMs)} ms`,
    {
      text: isPassing ? `checked ${ageOf(check.lastRunAt, now)} ago` : (check.detail ?? ''),
      paint: paint.dim,
    },
  ];
};

const ALERT_COLUMNS = [
  { title: 'severity' },
  { title: 'summary', flexible: true, least: 20 },
  { title: 'incident' },
  { title: 'age', dispensable: 1 },
];
const drawAlert: Draw<AlertView> = (alert, now, paint) => [
  { text: `${alert.severity} ${alert.level}`, paint: paint.red },
  alert.summary,
  alert.incident ?? '',
  { text: ageOf(alert.firedAt, now), paint: paint.dim },
];

const COMMAND_COLUMNS = [
  { title: 'age', dispensable: 3 },
  { title: 'operation' },
  { title: 'subject', flexible: true, least: 10 },
  { title: 'state' },
  { title: 'actor', flexible: true, least: 6, dispensable: 2 },
  { title: 'why', flexible: true, least: 10, dispensable: 1 },
];
const drawCommand: Draw<CommandView> = (command, now, paint) => {
  const isGood = command.state === 'succeeded';
  const tint = isGood ? paint.green : command.finishedAt === null ? paint.yellow : paint.red;
  return [
    { text: `${ageOf(command.requestedAt, now)} ago`, paint: paint.dim },
    command.operation,
    subjectOf(command),
    { text: command.state, paint: tint },
    { text: command.actor.name, paint: paint.dim },
    { text: isGood ? '' : (command.message ?? ''), paint: paint.dim },
  ];
};

function subjectOf(command: CommandView): string {
  const { service, backup, host } = command.params;
  const subject = service ?? backup ?? host ?? '';
  return typeof subject === 'string' ? subject : '';
}

const BACKUP_COLUMNS = [
  { title: 'id' },
  { title: 'proof' },
  { title: 'size', flexible: true, least: 8, dispensable: 1 },
];
const drawBackup: Draw<BackupView> = ({ id, bytes, tables, rows, proof }, now, paint) => {
  const tints = {
    verified: paint.green,
    intact: undefined,
    corrupt: paint.red,
    pending: paint.yellow,
    'not-uploaded': paint.yellow,
  };
  const said = proof.at === null ? proof.state : `${proof.state} ${ageOf(proof.at, now)} ago`;
  const size = `${formatBytes(bytes)}, ${tables} tables, ${formatCount(rows)} rows`;
  return [id, { text: said, paint: tints[proof.state] }, { text: size, paint: paint.dim }];
};

const ONE_CELL = [{ title: 'said', flexible: true }];

function sectionsOf(status: StatusView, commands: number, paint: Palette): Section[] {
  const all = <T>(items: readonly T[], draw: Draw<T>) => items.map((item) => draw(item, status.at, paint));
  const { services, checks, alerts, lastBackup } = status;
  const quiet = { columns: ONE_CELL, rows: [[{ text: 'none firing', paint: paint.green }]] };
  const none = { columns: ONE_CELL, rows: [[{ text: 'none yet', paint: paint.yellow }]] };
  return [
    { title: 'Services', columns: SERVICE_COLUMNS, rows: all(services, drawService) },
    { title: 'Checks from outside', columns: CHECK_COLUMNS, rows: all(checks, drawCheck) },
    {
      title: 'Alerts',
      ...(alerts.length > 0 ? { columns: ALERT_COLUMNS, rows: all(alerts, drawAlert) } : quiet),
    },
    {
      title: 'Last commands',
      columns: COMMAND_COLUMNS,
      rows: all(status.commands.slice(0, commands), drawCommand),
    },
    {
      title: 'Last backup',
      ...(lastBackup ? { columns: BACKUP_COLUMNS, rows: all([lastBackup], drawBackup) } : none),
    },
  ];
}

const INDENT = '  ';

function drawSection({ title, columns, rows }: Section, width: number, paint: Palette): string[] {
  const table = renderTable(columns, rows, width - INDENT.length).trimEnd();
  const lines = table === '' ? [] : table.split('\n').map((line) => INDENT + line);
  return [paint.bold(truncate(title, width)), ...lines];
}

function drawHead({ status, url, columns }: ViewFrame, paint: Palette): string {
  const host = status.hosts[0];
  const heartbeat = host ? [`${host.name} heartbeat ${ageOf(host.lastHeartbeatAt, status.at)} ago`] : [];
  const facts = [url, `${status.at.slice(11, 19)} UTC`, ...heartbeat];
  const dimmed = facts.map((text) => ({ text, shown: paint.dim(text) }));
  return joinFitting([{ text: 'Lamplighter', shown: paint.bold('Lamplighter') }, ...dimmed], columns);
}

function drawAdvice(columns: number, paint: Palette): string[] {
  const examples = ['npx lamp status', 'npx lamp restart web', 'npx lamp backup'].map((text) => ({
    text: `${text}    `,
  }));
  return [
    '',
    paint.dim(truncate('Try in another terminal, in this directory:', columns)),
    INDENT + joinFitting(examples, columns - INDENT.length).trimEnd(),
    paint.dim(truncate('Ctrl-C stops everything; the state is kept.', columns)),
  ];
}

/** From the fullest view to the tersest: the first that fits the terminal is drawn. */
const DENSITIES = [
  { commands: 5, isAiry: true },
  { commands: 5, isAiry: false },
  { commands: 3, isAiry: false },
  { commands: 1, isAiry: false },
];

/** One frame as lines, none wider than `columns` cells, and no more than `rows`: the least important lines are left out. */
export function drawFrame(frame: ViewFrame): string[] {
  const { status, columns, rows, useColour } = frame;
  const paint = palette({ env: {} }, useColour);
  let lines: string[] = [];
  for (const { commands, isAiry } of DENSITIES) {
    const sections = sectionsOf(status, commands, paint).flatMap((section) =>
      drawSection(section, columns, paint),
    );
    lines = [drawHead(frame, paint), ...(isAiry ? [''] : []), ...sections];
    if (isAiry) lines.push(...drawAdvice(columns, paint));
    if (lines.length <= rows) return lines;
  }
  return lines.slice(0, Math.max(1, rows));
}

/** Writes a frame over the one before it. */
export function redraw(out: NodeJS.WriteStream, lines: readonly string[]): void {
  out.write(`\u001b[H${lines.map((line) => `${line}\u001b[K`).join('\n')}\n\u001b[J`);
}
