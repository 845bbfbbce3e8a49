import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { recordWorkDir, removeWorkDir, sweepWorkDirs } from '#agent/operations/restore/work.ts';
import { CommandId } from '#shared/names.ts';

const [ENDED, RUNNING] = ['a', 'b'].map((end) =>
  CommandId.parse(`0197c2aa-0000-7000-8000-0000001f3a9${end}`),
) as [CommandId, CommandId];

let dir: string;
let records: string;

beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'lamplighter-work-'));
  records = join(dir, 'work');
});
afterEach(() => rmSync(dir, { recursive: true }));

/** As a restore leaves it: recorded, made, and with a decrypted dump in it. */
function leaveWork(id: CommandId, localDir: string): string {
  const work = recordWorkDir(records, id, join(dir, localDir));
  mkdirSync(work, { recursive: true });
  writeFileSync(join(work, 'database.dump.zst'), 'rows');
  return work;
}

function sweep(): string[] {
  const notes: string[] = [];
  sweepWorkDirs(
    records,
    (id) => id === ENDED,
    (_id, error) => notes.push(error),
  );
  return notes;
}

test('a decrypted dump goes once its command has ended in whatever way, wherever backups lie by now', () => {
  const [ended, running] = [leaveWork(ENDED, 'old-backups'), leaveWork(RUNNING, 'backups')];
  expect(sweep()).toEqual([]);
  expect([existsSync(ended), existsSync(running)]).toEqual([false, true]);
  expect(readdirSync(records)).toEqual([`${RUNNING}.json`]);
  expect(readdirSync(join(dir, 'old-backups'))).toEqual([]);
});

test('a record that leads elsewhere removes nothing, and is told', () => {
  leaveWork(ENDED, 'backups');
  writeFileSync(join(records, `${ENDED}.json`), JSON.stringify({ dir: join(dir, 'backups') }));
  expect(sweep()).toHaveLength(1);
  expect(readdirSync(join(dir, 'backups'))).toHaveLength(1);
});

test('a command that made none has none to remove, and a second time does no harm', () => {
  removeWorkDir(records, ENDED);
  const work = leaveWork(ENDED, 'backups');
  removeWorkDir(records, ENDED);
  removeWorkDir(records, ENDED);
  expect(existsSync(work)).toBe(false);
});
