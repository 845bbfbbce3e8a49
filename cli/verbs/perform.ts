// Asks for an operation, waits for its end and shows it: the way of every verb that acts.
import { CommandDetail, type CommandView } from '#shared/api/views.ts';
import { EXIT } from '../exit.ts';
import { toJsonText } from '../output/json.ts';
import { describeCommand, renderOutcome } from '../output/outcome.ts';
import { progressView, SILENT_PROGRESS } from '../output/progress.ts';
import { type CommandOrder, requestCommand } from '../wait/request-command.ts';
import { waitForCommand } from '../wait/wait-for-command.ts';
import type { Session } from './verb.ts';

/** Runs an operation. `isDetached`: returns as soon as it is asked for. */
export async function performOperation(
  session: Session,
  order: CommandOrder,
  isDetached: boolean,
): Promise<number> {
  const client = session.client();
  const id = await requestCommand(client, order, session.io.interrupted);
  if (!isDetached) return followCommand(session, id);
  if (session.isJson) {
    session.io.out(toJsonText(await client.call('GET', `/v1/commands/${id}`, CommandDetail)));
  } else {
    session.io.out(`asked for ${order.operation}: ${id}\nwait for it: lamp commands ${id} --wait\n`);
  }
  return EXIT.done;
}

/** Waits for a command that was asked for and shows how it ended. */
export async function followCommand(session: Session, id: string): Promise<number> {
  const { io, isJson, paint } = session;
  const progress = isJson ? SILENT_PROGRESS : progressView(io);
  let isHeaded = false;
  let latest: CommandView | undefined;
  const listener = {
    ...progress,
    onProgress(command: CommandView, events: CommandDetail['events']) {
      latest = command;
      if (!isHeaded && !isJson) io.out(`${paint.bold(describeCommand(command))}  ${paint.dim(command.id)}\n`);
      isHeaded = true;
      progress.onProgress(command, events);
    },
  };
  const terms = { signal: io.interrupted, nowMs: io.nowMs };
  const detail = await waitForCommand(session.client(), id, listener, terms).finally(progress.close);
  if (!detail) return sayItGoesOn(session, id, latest);
  io.out(isJson ? toJsonText(detail) : renderOutcome(detail.command, paint));
  return detail.command.state === 'succeeded' ? EXIT.done : EXIT.failed;
}

function sayItGoesOn({ io, isJson }: Session, id: string, latest: CommandView | undefined): number {
  io.err(`\nstopped waiting; the command goes on\nlook at it: lamp commands ${id} --wait\n`);
  if (isJson && latest) io.out(toJsonText({ command: latest, events: [] }));
  return EXIT.interrupted;
}
