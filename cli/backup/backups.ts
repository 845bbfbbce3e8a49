import type { Command } from 'commander';
import { ROUTES } from '#shared/api/routes.ts';
import { addExamples, type Bind } from '../verb.ts';
import { printList } from '../view.ts';
import { renderBackups } from '../views/backups.ts';

export function define(command: Command, bind: Bind): void {
  command.action(
    bind(async (session) => {
      const backups = await session.client().call(ROUTES.listBackups, {});
      return printList(session, backups, renderBackups, 'No backup so far: lamp backup');
    }),
  );
  addExamples(command, 'lamp backups');
}
