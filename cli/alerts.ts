import type { Command } from 'commander';
import { ROUTES } from '#shared/api/routes.ts';
import { addExamples, type Bind } from './verb.ts';
import { printList } from './view.ts';
import { renderAlerts } from './views/alerts.ts';

export function define(command: Command, bind: Bind): void {
  command.option('--all', 'resolved ones too').action(
    bind(async (session, { all }: { all?: boolean }) => {
      const query = all ? {} : { state: 'firing' };
      const alerts = await session.client().call(ROUTES.listAlerts, { query });
      return printList(session, alerts, renderAlerts, all ? 'No alert so far.' : 'No alert is firing.');
    }),
  );
  addExamples(command, 'lamp alerts --all');
}
