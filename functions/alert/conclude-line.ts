// The end of a line's command decides its delivery. When the command succeeded, the line is delivered; otherwise another
// command is asked for, a few times. Called with each report of such an end and, for ends that no host reports, with every
// tick. Both may see the same end.
import { END_STATES, isSettled } from '#shared/command/state.ts';
import { lookUp } from '#shared/look-up.ts';
import { alertAppend } from '#shared/operations/alert.ts';
import type { Deps } from '../deps.ts';
import { oneLine } from '../one-line.ts';
import { type CommandRecord, findCommand } from '../store/commands.ts';
import type { Queryable } from '../store/database.ts';
import {
  type Delivery,
  listEndedCommandsOfDeliveries,
  lockDeliveryOfCommand,
  markDelivered,
  markLost,
} from '../store/deliveries.ts';
import { requireRunbook } from '../store/runbooks.ts';
import { auditFailure } from './deliver.ts';
import { publishDeliveries } from './outbox.ts';
import { tellNext } from './tell-next.ts';

type LineDeps = Pick<Deps, 'db' | 'clock' | 'publisher'>;

/** The wait before each further command. A command itself waits up to a day for its host. */
const RETRY_AFTER_MS = [60_000, 5 * 60_000, 30 * 60_000, 2 * 60 * 60_000] as const;
const BATCH = 100;

/** Concludes the delivery that waits for this command, if the command has ended. */
export async function concludeLine(deps: LineDeps, command: CommandRecord): Promise<void> {
  if (!isSettled(command.state)) return;
  if (command.state === 'succeeded') {
    // The delivery may have been given up, or asked for again, meanwhile: the line's id is the delivery's.
    const { alert } = alertAppend.params.parse(command.params);
    const deliveredAt = command.finishedAt ?? deps.clock();
    await markDelivered(deps.db, alert.id, { deliveredAt, receipt: `command ${command.id} wrote it` });
    return;
  }
  const told = await deps.db.transaction(async (tx) => {
    const delivery = await lockDeliveryOfCommand(tx, command.id);
    return delivery ? await concludeLost(tx, delivery, command, deps.clock()) : [];
  });
  await publishDeliveries(deps, told);
}

async function concludeLost(
  tx: Queryable,
  delivery: Delivery,
  { id, state, message }: CommandRecord,
  now: Date,
): Promise<string[]> {
  const error = oneLine(`command ${id} ${state}${message === null ? '' : `: ${message}`}`);
  const waitMs = RETRY_AFTER_MS[delivery.lostCommands];
  const retryAt = waitMs === undefined ? undefined : new Date(now.getTime() + waitMs);
  await markLost(tx, delivery.id, { error, retryAt });
  if (retryAt) return [];
  await auditFailure(tx, delivery, error, now);
  const { runbook } = await requireRunbook(tx);
  const isWanted = lookUp(runbook.channels, delivery.channel) !== undefined;
  return isWanted ? await tellNext({ tx, runbook, now }, { delivery, reason: error, isFinal: true }) : [];
}

/** Concludes deliveries whose commands have ended; returns how many. */
export async function concludeEndedLines(deps: LineDeps): Promise<number> {
  const ids = await listEndedCommandsOfDeliveries(deps.db, END_STATES, BATCH);
  for (const id of ids) {
    const command = await findCommand(deps.db, id);
    if (command) await concludeLine(deps, command);
  }
  return ids.length;
}
