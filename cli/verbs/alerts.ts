import type { Command } from 'commander';
import { AlertView } from '#shared/api/views.ts';
import { renderAlerts } from '../views/alerts.ts';
import { fetchList, printList } from './show-list.ts';
import { addExamples, type Bind } from './verb.ts';

export function define(command: Command, bind: Bind): void {
  command.option('--all', 'resolved ones too').action(
    bind(async (session, { all }: { all?: boolean }) => {
      const alerts = await fetchList(session, all ? '/v1/alerts' : '/v1/alerts?state=firing', AlertView);
      return printList(session, alerts, renderAlerts, all ? 'No alert so far.' : 'No alert is firing.');
    }),
  );
  addExamples(command, 'lamp alerts --all');
}
