import type { Command } from 'commander';
import { AuditView } from '#shared/api/views.ts';
import { formatClock } from '../output/quantity.ts';
import { renderTable } from '../output/table.ts';
import type { ViewContext } from '../views/context.ts';
import { fetchList, printList } from './show-list.ts';
import { addExamples, type Bind } from './verb.ts';

const COLUMNS = [
  { title: 'SEQ', align: 'right' as const },
  { title: 'AT' },
  { title: 'ACTOR' },
  { title: 'ACTION' },
  { title: 'TARGET' },
  { title: 'DETAIL' },
];

interface AuditOptions {
  action?: string;
  limit: string;
}

export function define(command: Command, bind: Bind): void {
  command
    .option('--action <action>', 'only this action, such as rbac_denied')
    .option('-n, --limit <n>', 'how many, the newest', '50')
    .action(
      bind(async (session, { action, limit }: AuditOptions) => {
        const query = new URLSearchParams({ limit, ...(action ? { action } : {}) });
        const rows = await fetchList(session, `/v1/audit?${query}`, AuditView);
        return printList(session, rows, renderAudit, 'Nothing is recorded.');
      }),
    );
  addExamples(command, 'lamp audit --action rbac_denied');
}

function renderAudit(rows: AuditView[], { paint, width }: ViewContext): string {
  const cells = rows.map(({ seq, at, actor, action, target, detail }) => [
    String(seq),
    formatClock(at),
    actor,
    action,
    target ?? '-',
    Object.keys(detail).length > 0 ? JSON.stringify(detail) : '',
  ]);
  return renderTable(COLUMNS, cells, width, paint.dim);
}
