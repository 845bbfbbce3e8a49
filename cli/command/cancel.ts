// `lamp cancel`: stops a command and waits until what it did is undone.
import type { Command } from 'commander';
import { ROUTES } from '#shared/api/routes.ts';
import type { CommandDetail } from '#shared/api/views.ts';
import { EXIT } from '../exit.ts';
import { toJsonText } from '../output/json.ts';
import { shortId } from '../output/short-id.ts';
import { addExamples, type Bind, type Session } from '../verb.ts';
import { followCommand } from './perform.ts';

interface CancelOptions {
  detach?: boolean;
}

export function define(command: Command, bind: Bind): void {
  command
    .description(
      'Stop a command with all that it started, and undo what can be undone: a restart, for example, can not. Everyone who is allowed to ask for the command is allowed to cancel it.\n\nExits with 0 when the command ends as cancelled.',
    )
    .argument('<id>', 'the id of the command, or its first or last four characters or more')
    .option('--detach', 'return at once; to wait later: `lamp commands ID --wait`')
    .action(bind(async (session, id: string, { detach }: CancelOptions) => cancel(session, id, detach)));
  addExamples(command, 'lamp cancel 3f5a');
}

async function cancel(session: Session, id: string, isDetached: boolean | undefined): Promise<number> {
  const { io, isJson } = session;
  const client = session.client();
  const asked = await client.call(ROUTES.cancelCommand, { params: { id } });
  if (isDetached) {
    const short = shortId(asked.command);
    if (isJson) io.out(toJsonText(asked));
    else io.out(`asked to cancel ${short}\nwait for its end: lamp commands ${short} --wait\n`);
    return EXIT.done;
  }
  return await followCommand(session, asked.command, exitCodeOfCancel);
}

/** The command that was to be cancelled may have ended before. */
function exitCodeOfCancel({ command }: CommandDetail): number {
  return command.state === 'cancelled' ? EXIT.done : EXIT.failed;
}
