import type { Command } from 'commander';
import { ROUTES } from '#shared/api/routes.ts';
import type { AuditView } from '#shared/api/views.ts';
import { CommandId } from '#shared/names.ts';
import { formatClock } from './output/quantity.ts';
import { shortId } from './output/short-id.ts';
import { renderTable } from './output/table.ts';
import { addExamples, type Bind } from './verb.ts';
import { printList, type ViewContext } from './view.ts';

const COLUMNS = [
  { title: 'SEQ', align: 'right' as const, dispensable: 1 },
  { title: 'AT' },
  { title: 'ACTOR', flexible: true, least: 12 },
  { title: 'ACTION' },
  { title: 'TARGET', flexible: true, least: 12, dispensable: 3 },
  { title: 'DETAIL', flexible: true, least: 16, dispensable: 2 },
];

interface AuditOptions {
  action?: string;
  limit: string;
}

export function define(command: Command, bind: Bind): void {
  command
    .option('--action <action>', 'only this action, such as rbac_denied')
    .option('-n, --limit <n>', 'list the newest N entries', '50')
    .action(
      bind(async (session, { action, limit }: AuditOptions) => {
        const rows = await session.client().call(ROUTES.listAudit, { query: { limit, action } });
        return printList(session, rows, renderAudit, 'Nothing is recorded.');
      }),
    );
  addExamples(command, 'lamp audit --action rbac_denied');
}

/** A command's id as short as elsewhere; other targets are names. */
function shortTarget(target: string): string {
  return CommandId.safeParse(target).success ? shortId(target) : target;
}

function renderAudit(rows: AuditView[], { paint, width }: ViewContext): string {
  const cells = rows.map(({ seq, at, actor, action, target, detail }) => [
    String(seq),
    at === null ? '-' : formatClock(at),
    actor,
    action,
    target === null ? '-' : shortTarget(target),
    Object.keys(detail).length > 0 ? JSON.stringify(detail) : '',
  ]);
  return renderTable(COLUMNS, cells, width, paint.dim);
}
