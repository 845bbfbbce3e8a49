// The stand-in for journalctl(1) on a supervised host: what the agent asks of it, in its words.
import { existsSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { JournalRecord, journalFiles } from '../journal.ts';

const POLL_MS = 100;
const ALL_LINES = 10_000;
const { values } = parseArgs({
  // Matches such as _MACHINE_ID=…: there is one machine here.
  allowPositionals: true,
  options: {
    unit: { type: 'string', short: 'u' },
    lines: { type: 'string', short: 'n', default: String(ALL_LINES) },
    since: { type: 'string', default: '@0' },
    output: { type: 'string', short: 'o', default: 'short' },
    follow: { type: 'boolean', short: 'f', default: false },
    'no-pager': { type: 'boolean' },
    quiet: { type: 'boolean', short: 'q' },
    all: { type: 'boolean', short: 'a' },
    merge: { type: 'boolean', short: 'm' },
    'output-fields': { type: 'string' },
  },
});
const unit = values.unit ?? '';
const [older, current] = journalFiles(
  join(process.argv[1] ?? '', '../../../var/log/journal'),
  unit.replace(/@.*\./, '@.'),
);
const sinceUs = Number(values.since.replace(/^@/, '')) * 1e6;

function readRecords(text: string): JournalRecord[] {
  return text
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JournalRecord.parse(JSON.parse(line)))
    .filter((record) => record._SYSTEMD_UNIT === unit && Number(record.__REALTIME_TIMESTAMP) >= sinceUs);
}

function print(records: readonly JournalRecord[]): void {
  for (const record of records) {
    const at = new Date(Number(record.__REALTIME_TIMESTAMP) / 1000).toISOString();
    const short = `${at} ${record._SYSTEMD_UNIT}[${record._PID}]: ${record.MESSAGE}`;
    process.stdout.write(`${values.output === 'json' ? JSON.stringify(record) : short}\n`);
  }
}

function readWhole(file: string): string {
  return existsSync(file) ? readFileSync(file, 'utf8') : '';
}

/** Prints what is added from now on; a line is printed once it is whole. */
function follow(from: number): void {
  let offset = from;
  let rest = '';
  setInterval(() => {
    const size = statSync(current, { throwIfNoEntry: false })?.size ?? 0;
    // A new file took its place.
    if (size < offset) offset = 0;
    if (size === offset) return;
    const added = rest + readFileSync(current).subarray(offset).toString('utf8');
    offset = size;
    const end = added.lastIndexOf('\n') + 1;
    rest = added.slice(end);
    print(readRecords(added.slice(0, end)));
  }, POLL_MS);
}

process.stdout.on('error', () => process.exit(0));
const now = readWhole(current);
print([...readRecords(readWhole(older)), ...readRecords(now)].slice(-Number(values.lines)));
if (values.follow) follow(Buffer.byteLength(now));
