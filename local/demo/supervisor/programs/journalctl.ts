// The stand-in for journalctl(1) on a supervised host: what the agent asks of it and no more, always as JSON.
import { existsSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { JournalRecord, journalFiles } from '../journal.ts';

const POLL_MS = 100;
const { values } = parseArgs({
  // Matches such as _MACHINE_ID=… are ignored: this journal has one machine.
  allowPositionals: true,
  options: {
    unit: { type: 'string', default: '' },
    lines: { type: 'string', default: '0' },
    since: { type: 'string', default: '@0' },
    output: { type: 'string' },
    follow: { type: 'boolean', default: false },
    'no-pager': { type: 'boolean' },
    quiet: { type: 'boolean' },
    all: { type: 'boolean' },
    merge: { type: 'boolean' },
    'output-fields': { type: 'string' },
  },
});
const { unit } = values;
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
  for (const record of records) process.stdout.write(`${JSON.stringify(record)}\n`);
}

function readWhole(file: string): string {
  return existsSync(file) ? readFileSync(file, 'utf8') : '';
}

/** Prints the lines that are added from now on, each when it is whole. */
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
const lines = Number(values.lines);
if (lines > 0) print([...readRecords(readWhole(older)), ...readRecords(now)].slice(-lines));
if (values.follow) follow(Buffer.byteLength(now));
