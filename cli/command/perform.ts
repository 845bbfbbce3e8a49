// Asks for an operation, waits for its end and shows it: the way of every verb that acts.

import { ROUTES } from '#shared/api/routes.ts';
import type { CommandDetail } from '#shared/api/views.ts';
import { EXIT, exitCodeOfCommand } from '../exit.ts';
import { toJsonText } from '../output/json.ts';
import { progressView, quietProgress } from '../output/progress.ts';
import { shortId } from '../output/short-id.ts';
import type { Session } from '../verb.ts';
import { viewContext } from '../view.ts';
import { describeCommand, renderOutcome } from './outcome.ts';
import { type CommandOrder, requestCommand } from './request-command.ts';
import { waitForCommand } from './wait-for-command.ts';

/** Runs an operation. `isDetached`: returns as soon as it is asked for. */
export async function performOperation(
  session: Session,
  order: CommandOrder,
  isDetached: boolean,
): Promise<number> {
  const client = session.client();
  const id = await requestCommand(client, order, session.io.interrupted).catch((error: unknown) => {
    const may = 'the command may have been asked for all the same: lamp commands\n';
    if (session.io.interrupted.aborted) session.io.err(may);
    throw error;
  });
  if (!isDetached) return followCommand(session, id);
  const look = client.call(ROUTES.readCommand, { params: { id } });
  // It is asked for, whatever comes of this look.
  const detail = session.isJson ? await look : await look.catch(() => undefined);
  if (detail) quietProgress(session.io).onProgress(detail);
  const short = shortId(id);
  const said = `asked for ${order.operation}: ${short}\nwait for it: lamp commands ${short} --wait\n`;
  session.io.out(session.isJson ? toJsonText(detail) : said);
  return EXIT.done;
}

/** Waits for a command that was asked for and shows how it ended; `exitCode` says what its end is worth. */
export async function followCommand(
  session: Session,
  id: string,
  exitCode = ({ command }: CommandDetail): number => exitCodeOfCommand(command),
): Promise<number> {
  const { io, isJson, paint } = session;
  const progress = isJson ? quietProgress(io) : progressView(io);
  let isHeaded = false;
  let latest: CommandDetail | undefined;
  const listener = {
    ...progress,
    onProgress(detail: CommandDetail) {
      latest = detail;
      const { command } = detail;
      const head = `${paint.bold(describeCommand(command))}  ${paint.dim(shortId(command.id))}\n`;
      if (!isHeaded && !isJson) io.out(head);
      isHeaded = true;
      progress.onProgress(detail);
    },
  };
  const options = { signal: io.interrupted, nowMs: io.nowMs };
  const detail = await waitForCommand(session.client(), id, listener, options).finally(progress.close);
  if (!detail) return sayItGoesOn(session, id, latest);
  io.out(isJson ? toJsonText(detail) : renderOutcome(detail.command, viewContext(session)));
  return exitCode(detail);
}

function sayItGoesOn({ io, isJson }: Session, id: string, latest: CommandDetail | undefined): number {
  const short = shortId(id);
  io.err(
    `\nstopped waiting; the command goes on\nlook at it: lamp commands ${short} --wait\nstop it: lamp cancel ${short}\n`,
  );
  if (isJson && latest) io.out(toJsonText(latest));
  return EXIT.interrupted;
}
