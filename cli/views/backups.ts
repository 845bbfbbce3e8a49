import type { BackupView } from '#shared/api/views.ts';
import { formatAge, formatBytes, formatCount } from '../output/quantity.ts';
import { type Cell, renderTable } from '../output/table.ts';
import type { ViewContext } from './context.ts';

const COLUMNS = [
  { title: 'BACKUP' },
  { title: 'DATABASE' },
  { title: 'TAKEN' },
  { title: 'SIZE', align: 'right' as const },
  { title: 'TABLES', align: 'right' as const },
  { title: 'ROWS', align: 'right' as const },
  { title: 'PROOF' },
];

function proofOf({ proof }: BackupView, { paint, nowMs }: ViewContext): Cell {
  switch (proof.state) {
    case 'verified':
      return { text: `verified ${formatAge(proof.at, nowMs)}`, paint: paint.green };
    case 'corrupt':
      return { text: `corrupt: ${proof.faults[0] ?? 'unreadable'}`, paint: paint.red };
    case 'pending':
      return { text: 'not verified yet', paint: paint.yellow };
  }
}

/** Backups, one line each, with what was proven of them. */
export function renderBackups(backups: BackupView[], context: ViewContext): string {
  const rows = backups.map((backup): (string | Cell)[] => [
    backup.id,
    backup.database,
    formatAge(backup.finishedAt, context.nowMs),
    formatBytes(backup.bytes),
    formatCount(backup.tables),
    formatCount(backup.rows),
    proofOf(backup, context),
  ]);
  return renderTable(COLUMNS, rows, context.width, context.paint.dim);
}
