// Streams a source of lines to the relay until the viewer leaves, the source ends, or the command is stopped.
import { LamplighterError } from '#shared/errors.ts';
import { createBackoff } from '#shared/kit/backoff.ts';
import { type ConnectionEnd, dialRelay, type RelayConnection } from '#shared/kit/relay-dial.ts';
import {
  type EndFrame,
  MAX_FRAME_LINES,
  MAX_LINE_LENGTH,
  RESUME_GRACE_MS,
  ToAgentFrame,
} from '#shared/live/frames.ts';
import { createLineRing, type LineRing } from '#shared/live/line-ring.ts';
import type { LogLine } from '#shared/operations/logs.ts';
import { cutMessage } from '../host/journal-entry.ts';

/** A source of lines; `onEnd` says that it ended by itself and why. Returned: how to stop it. */
export type LineSource = (
  onLine: (line: LogLine) => void,
  onEnd: (detail: string) => void,
) => { stop(): Promise<void> };

export interface StreamOptions {
  relayUrl: string;
  ticket: string;
  source: LineSource;
  /** Aborted when the command is to end: cancelled, out of time, or the agent stops. */
  signal: AbortSignal;
  nowMs(): number;
}

const RING_LINES = 5000;
const RING_CHARACTERS = 2_000_000;
const HIGH_WATER_BYTES = 256 * 1024;
const FIRST_BACKOFF_MS = 250;
const LONGEST_BACKOFF_MS = 4000;

/** Streams to the end and returns how many lines went out. Throws when the relay can't be reached or the source fails. */
export async function streamToRelay(options: StreamOptions): Promise<{ linesSent: number }> {
  const stream = new LineStream(options);
  try {
    await stream.run();
    return { linesSent: stream.linesSent };
  } finally {
    await stream.stopSource();
  }
}

class LineStream {
  readonly #options: StreamOptions;
  readonly #ring: LineRing = createLineRing(RING_LINES, RING_CHARACTERS);
  #source: { stop(): Promise<void> } | undefined;
  #connection: RelayConnection | undefined;
  #resumeKey: string | undefined;
  #cursor = 1;
  /** The relay has said where to go on; before that nothing may be sent. */
  #isWelcome = false;
  #lostSinceMs: number | undefined;
  /** Sent after all lines. */
  #lastWord: EndFrame | undefined;
  #isOver = false;

  constructor(options: StreamOptions) {
    this.#options = options;
  }

  get linesSent(): number {
    return this.#cursor - 1;
  }

  async stopSource(): Promise<void> {
    await this.#source?.stop();
  }

  async run(): Promise<void> {
    const { signal } = this.#options;
    const stop = (): void => this.#conclude({ type: 'end', reason: 'agent-left' });
    signal.addEventListener('abort', stop, { once: true });
    try {
      const backoff = createBackoff(FIRST_BACKOFF_MS, LONGEST_BACKOFF_MS);
      while (!this.#isOver && !signal.aborted) {
        const end = await this.#connectOnce();
        if (this.#isOver || end.how === 'closed') break;
        this.#giveUpWhenHopeless(end);
        await backoff.pause(signal);
      }
    } finally {
      signal.removeEventListener('abort', stop);
    }
    if (this.#lastWord?.reason === 'follow-failed') {
      throw new LamplighterError('failed', `follow journal: ${this.#lastWord.detail ?? 'it ended'}`);
    }
  }

  async #connectOnce(): Promise<ConnectionEnd> {
    const { relayUrl, ticket } = this.#options;
    this.#isWelcome = false;
    const use = this.#resumeKey ? 'resume' : 'ticket';
    this.#connection = dialRelay({
      url: relayUrl,
      use,
      key: this.#resumeKey ?? ticket,
      frames: ToAgentFrame,
      onFrame: (frame) => this.#take(frame),
    });
    return this.#connection.ended;
  }

  #giveUpWhenHopeless(end: ConnectionEnd): void {
    const { nowMs } = this.#options;
    this.#lostSinceMs ??= nowMs();
    const isRefused = end.how === 'refused' && end.status < 500;
    if (!isRefused && nowMs() - this.#lostSinceMs < RESUME_GRACE_MS) return;
    const why = end.how === 'refused' ? `HTTP ${end.status}` : end.how === 'dropped' ? end.why : 'closed';
    throw new LamplighterError('unavailable', `reach live relay: ${why}`, {
      hint: 'The host must be able to open connections to the relay; a ticket is good once, for a minute.',
    });
  }

  #take(frame: ToAgentFrame): void {
    if (frame.type === 'end') {
      this.#isOver = true;
      this.#connection?.close();
      return;
    }
    this.#resumeKey = frame.resume;
    this.#cursor = frame.next;
    this.#isWelcome = true;
    this.#lostSinceMs = undefined;
    this.#source ??= this.#options.source(
      (line) => this.#append(line),
      (detail) => this.#conclude({ type: 'end', reason: 'follow-failed', detail: detail.slice(0, 500) }),
    );
    this.#pump();
  }

  #append(line: LogLine): void {
    this.#ring.append({ ...line, message: cutMessage(line.message, MAX_LINE_LENGTH) });
    this.#pump();
  }

  #conclude(frame: EndFrame): void {
    this.#lastWord ??= frame;
    this.#pump();
  }

  #pump(): void {
    const connection = this.#connection;
    if (!connection || !this.#isWelcome || this.#isOver) return;
    const again = (): void => this.#pump();
    while (connection.bufferedBytes() < HIGH_WATER_BYTES) {
      const frame = this.#ring.read(this.#cursor, MAX_FRAME_LINES);
      if (!frame) break;
      if (!connection.send(frame, again)) return;
      this.#cursor = frame.from + (frame.type === 'lines' ? frame.lines.length : frame.count);
    }
    if (!this.#lastWord || this.#cursor < this.#ring.next()) return;
    this.#isOver = true;
    connection.send(this.#lastWord, () => connection.close());
  }
}
