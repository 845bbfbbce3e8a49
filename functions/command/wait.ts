// Holds a request until there is news of a command.
import type { CommandDetail } from '#shared/api/views.ts';
import { isSettled } from '#shared/command/state.ts';
import { LamplighterError } from '#shared/errors.ts';
import type { Deps } from '../deps.ts';
import { readContact } from '../host/contact.ts';
import { listCommandEvents } from '../store/command-events.ts';
import { findCommand, toCommandView } from '../store/commands.ts';
import type { CommandListener } from '../store/listen.ts';
import { isTaken } from './state.ts';

export interface WaitOptions {
  /** Number of the last event that the reader knows. */
  after: number;
  waitMs: number;
  signal: AbortSignal;
}

/** How often the command is read again when no notification comes. */
const POLL_MS = 1000;

async function readDetail(
  deps: Pick<Deps, 'db'>,
  id: string,
  after: number,
): Promise<Omit<CommandDetail, 'contact'>> {
  // The command is read first. If it settles between the two reads, the reader asks again and misses no event.
  const record = await findCommand(deps.db, id);
  if (!record) throw new LamplighterError('not-found', `find command ${id}: there is no such command`);
  return { command: toCommandView(record), events: await listCommandEvents(deps.db, id, after) };
}

async function withContact(
  { db, clock }: Pick<Deps, 'db' | 'clock'>,
  detail: Omit<CommandDetail, 'contact'>,
): Promise<CommandDetail> {
  const { host, state } = detail.command;
  return { ...detail, contact: isTaken(state) ? null : await readContact(db, host, clock()) };
}

/** The command with its events after `after`, once there is such an event, the command is settled, or the time is up. */
export async function waitForNews(
  deps: Pick<Deps, 'db' | 'clock'>,
  listener: CommandListener,
  id: string,
  { after, waitMs, signal }: WaitOptions,
): Promise<CommandDetail> {
  const deadlineMs = performance.now() + waitMs;
  const watch = listener.watch(id);
  try {
    for (;;) {
      const detail = await readDetail(deps, id, after);
      const leftMs = deadlineMs - performance.now();
      const isNews = detail.events.length > 0 || isSettled(detail.command.state);
      if (isNews || leftMs <= 0 || signal.aborted) return await withContact(deps, detail);
      await watch.next(Math.min(POLL_MS, leftMs), signal);
    }
  } finally {
    watch.stop();
  }
}
