// command.cancel: stops another command on its host and undoes what it did.
import * as z from 'zod';
import { EndState } from '../command/state.ts';
import { CommandId, HostName } from '../names.ts';
import { ALLOWED, defineOperation } from './definition.ts';

export const commandCancel = defineOperation({
  name: 'command.cancel',
  summary: 'Stop a command with all that it started, and undo what can be undone',
  risk: 'change',
  // A webhook has parameters from a list; the id of a command is in none.
  askedBy: ['token'],
  params: z.strictObject({
    command: CommandId.describe('id of the command to stop'),
    host: HostName.describe("name of that command's host in the runbook"),
  }),
  actsOn: ({ command }) => command,
  spec: z.lazy(() => z.strictObject({ command: CommandId })),
  /** How the other command ended: `cancelled`, or as it ended before it could be stopped. */
  result: z.lazy(() => z.strictObject({ command: CommandId, state: EndState })),
  // Undoing a restore may take long.
  timeoutMs: 60 * 60_000,
  resolve: ({ command, host }) => ({ host, spec: { command } }),
  locks: ({ command }) => [`cancel:${command}`],
  permit: () => ALLOWED,
});
