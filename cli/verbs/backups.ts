import type { Command } from 'commander';
import { BackupView } from '#shared/api/views.ts';
import { renderBackups } from '../views/backups.ts';
import { fetchList, printList } from './show-list.ts';
import { addExamples, type Bind } from './verb.ts';

export function define(command: Command, bind: Bind): void {
  command.action(
    bind(async (session) => {
      const backups = await fetchList(session, '/v1/backups', BackupView);
      return printList(session, backups, renderBackups, 'No backup so far: lamp backup');
    }),
  );
  addExamples(command, 'lamp backups');
}
