// Follows a command to its end over connections that may drop at any time.
import { ROUTES } from '#shared/api/routes.ts';
import type { CommandDetail, CommandEvent } from '#shared/api/views.ts';
import { isSettled } from '#shared/command/state.ts';
import { LamplighterError, messageOf } from '#shared/errors.ts';
import type { ApiClient } from '#shared/kit/api-client.ts';
import { type Backoff, createBackoff } from '#shared/kit/backoff.ts';

export interface WaitListener {
  /** The command as last seen, with the events that are new since, and its host while that has not taken it. */
  onProgress(detail: CommandDetail): void;
  onConnectionLost(reason: string): void;
  onConnectionBack(): void;
}

export interface WaitOptions {
  signal: AbortSignal;
  nowMs(): number;
  /** Stop trying after this long without any answer. */
  giveUpAfterMs?: number;
}

const HOLD_S = 25;
/** While the host has not taken the command, how long the host is silent is looked at again this often. */
const UNTAKEN_HOLD_S = 5;
const FIRST_BACKOFF_MS = 250;
const LONGEST_BACKOFF_MS = 5000;
const GIVE_UP_AFTER_MS = 10 * 60_000;

interface Progress {
  isTaken: boolean;
  after: number;
  events: CommandEvent[];
  silentSinceMs: number | undefined;
  backoff: Backoff;
}

/**
 * Waits until the command is settled and returns it with all its events. Throws `unavailable` after a long silence,
 * and what the API says when it is a final answer (not found, not allowed). Returns undefined when `signal` was aborted.
 */
export async function waitForCommand(
  client: ApiClient,
  id: string,
  listener: WaitListener,
  options: WaitOptions,
): Promise<CommandDetail | undefined> {
  const progress: Progress = {
    isTaken: false,
    after: 0,
    events: [],
    silentSinceMs: undefined,
    backoff: createBackoff(FIRST_BACKOFF_MS, LONGEST_BACKOFF_MS),
  };
  while (!options.signal.aborted) {
    const detail = await poll(client, id, progress, listener, options);
    if (!detail) continue;
    const fresh = takeNewEvents(detail, progress);
    listener.onProgress({ ...detail, events: fresh });
    progress.isTaken = detail.contact === null;
    if (isSettled(detail.command.state)) return { ...detail, events: progress.events };
  }
  return undefined;
}

async function poll(
  client: ApiClient,
  id: string,
  progress: Progress,
  listener: WaitListener,
  options: WaitOptions,
): Promise<CommandDetail | undefined> {
  try {
    const holdS = progress.isTaken ? HOLD_S : UNTAKEN_HOLD_S;
    const query = { after: progress.after, waitS: holdS };
    const request = { timeoutMs: (holdS + 10) * 1000, signal: options.signal };
    const detail = await client.call(ROUTES.readCommand, { params: { id }, query }, request);
    if (progress.silentSinceMs !== undefined) listener.onConnectionBack();
    progress.silentSinceMs = undefined;
    progress.backoff.reset();
    return detail;
  } catch (error) {
    if (options.signal.aborted) return undefined;
    if (!isWorthRetrying(error)) throw error;
    await backOff(error, id, progress, listener, options);
    return undefined;
  }
}

function isWorthRetrying(error: unknown): boolean {
  return error instanceof LamplighterError && error.retryable;
}

async function backOff(
  error: unknown,
  id: string,
  progress: Progress,
  listener: WaitListener,
  options: WaitOptions,
): Promise<void> {
  if (progress.silentSinceMs === undefined) {
    progress.silentSinceMs = options.nowMs();
    listener.onConnectionLost(messageOf(error));
  }
  if (options.nowMs() - progress.silentSinceMs > (options.giveUpAfterMs ?? GIVE_UP_AFTER_MS)) {
    throw new LamplighterError('unavailable', `wait for command ${id}: ${messageOf(error)}`, {
      hint: `The command may still go on: lamp commands ${id} --wait`,
      cause: error,
    });
  }
  await progress.backoff.pause(options.signal);
}

/** Events come once each even if a server ignores `after`. */
function takeNewEvents(detail: CommandDetail, progress: Progress): CommandEvent[] {
  const fresh = detail.events.filter((event) => event.seq > progress.after).toSorted((a, b) => a.seq - b.seq);
  progress.after = fresh.at(-1)?.seq ?? progress.after;
  progress.events.push(...fresh);
  return fresh;
}
