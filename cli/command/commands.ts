import type { Command } from 'commander';
import { ROUTES } from '#shared/api/routes.ts';
import type { CommandDetail } from '#shared/api/views.ts';
import { LamplighterError } from '#shared/errors.ts';
import { CommandId } from '#shared/names.ts';
import { EXIT } from '../exit.ts';
import { toJsonText } from '../output/json.ts';
import { addExamples, type Bind, type Session } from '../verb.ts';
import { printList, viewContext } from '../view.ts';
import { renderCommand, renderCommands } from '../views/commands.ts';
import { followCommand } from './perform.ts';

interface CommandsOptions {
  wait?: boolean;
  limit: string;
}

export function define(command: Command, bind: Bind): void {
  command
    .argument('[id]', "a command's id, or its end: shows its steps and how it ended")
    .option('-n, --limit <n>', 'how many, the newest', '20')
    .option('--wait', 'wait until it ends, as the verb that asked for it does')
    .action(
      bind(async (session, id: string | undefined, { wait, limit }: CommandsOptions) => {
        if (id) return wait ? followCommand(session, await identify(session, id)) : showOne(session, id);
        if (wait) throw new LamplighterError('invalid-input', 'wait for a command: its id is missing');
        const commands = await session.client().call(ROUTES.listCommands, { query: { limit } });
        return printList(session, commands, renderCommands, 'No command so far.');
      }),
    );
  addExamples(command, 'lamp commands', 'lamp commands 4f1a9c2e --wait');
}

function look(session: Session, id: string): Promise<CommandDetail> {
  return session.client().call(ROUTES.readCommand, { params: { id } });
}

/** The whole id: while one waits, another command's id may come to end in the same way. */
async function identify(session: Session, part: string): Promise<string> {
  return CommandId.safeParse(part).data ?? (await look(session, part)).command.id;
}

async function showOne(session: Session, id: string): Promise<number> {
  const detail = await look(session, id);
  session.io.out(session.isJson ? toJsonText(detail) : renderCommand(detail, viewContext(session)));
  return EXIT.done;
}
