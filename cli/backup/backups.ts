import type { Command } from 'commander';
import { ROUTES } from '#shared/api/routes.ts';
import type { BackupView } from '#shared/api/views.ts';
import { formatAge, formatBytes, formatCount } from '../output/quantity.ts';
import { shortIds } from '../output/short-id.ts';
import { type Cell, renderTable } from '../output/table.ts';
import { addExamples, type Bind } from '../verb.ts';
import { printList, type ViewContext } from '../view.ts';

export function define(command: Command, bind: Bind): void {
  command.action(
    bind(async (session) => {
      const backups = await session.client().call(ROUTES.listBackups, {});
      return printList(session, backups, renderBackups, 'No backup so far: lamp backup');
    }),
  );
  addExamples(command, 'lamp backups');
}

const COLUMNS = [
  { title: 'BACKUP' },
  { title: 'DATABASE', dispensable: 3 },
  { title: 'TAKEN' },
  { title: 'SIZE', align: 'right' as const, dispensable: 4 },
  { title: 'TABLES', align: 'right' as const, dispensable: 1 },
  { title: 'ROWS', align: 'right' as const, dispensable: 2 },
  { title: 'PROOF', flexible: true, least: 18 },
];

/** What was proven of a backup, as one cell. */
export function proofOf({ proof }: BackupView, { paint, nowMs }: Pick<ViewContext, 'paint' | 'nowMs'>): Cell {
  switch (proof.state) {
    case 'verified':
      return { text: `verified ${formatAge(proof.at, nowMs)}`, paint: paint.green };
    // Not green: less is proven than of one that was looked into.
    case 'intact':
      return { text: `intact ${formatAge(proof.at, nowMs)}` };
    case 'corrupt':
      return { text: `corrupt: ${proof.faults[0] ?? 'unreadable'}`, paint: paint.red };
    case 'not-uploaded':
      return { text: 'on the host only, not uploaded yet', paint: paint.yellow };
    case 'pending':
      return { text: 'not verified yet', paint: paint.yellow };
  }
}

/** Backups, one line each, with what was proven of them. */
export function renderBackups(backups: BackupView[], context: ViewContext): string {
  const short = shortIds(backups.map(({ id }) => id));
  const rows = backups.map((backup): (string | Cell)[] => [
    short.get(backup.id) ?? backup.id,
    backup.database,
    formatAge(backup.finishedAt, context.nowMs),
    formatBytes(backup.bytes),
    formatCount(backup.tables),
    formatCount(backup.rows),
    proofOf(backup, context),
  ]);
  const gaps = new Set(backups.flatMap(({ proof }) => proof.notProven ?? []));
  const notes = [...gaps].map((gap) => context.paint.dim(`not proven: ${gap}\n`));
  return renderTable(COLUMNS, rows, context.width, context.paint.dim) + notes.join('');
}
