// One viewer following one agent's lines. The lines go through a bounded ring: a viewer that is slow or disconnected is told
// how many lines it lost, and memory stays bounded. When one side leaves, the session ends for both.
import type { WebSocket } from 'ws';
import {
  AgentFrame,
  type DroppedFrame,
  type EndFrame,
  type LinesFrame,
  type LiveSide,
  MAX_FRAME_LINES,
  parseFrame,
  RESUME_GRACE_MS,
} from '#shared/live/frames.ts';
import { createLineRing, type LineRing } from '#shared/live/line-ring.ts';
import { type Departure, type Seat, takeSeat } from './seat.ts';

export interface SessionLimits {
  /** The longest a session lasts. */
  lifetimeMs: number;
  /** How long a side may be disconnected. */
  graceMs: number;
  pingEveryMs: number;
  /** Lines and characters kept for a viewer that is slow or disconnected. */
  ringLines: number;
  ringCharacters: number;
  /** While this much waits in the viewer's socket, no more is written to it. */
  highWaterBytes: number;
}

export const SESSION_LIMITS: SessionLimits = {
  lifetimeMs: 60 * 60_000,
  graceMs: RESUME_GRACE_MS,
  pingEveryMs: 15_000,
  ringLines: 5000,
  ringCharacters: 2_000_000,
  highWaterBytes: 256 * 1024,
};

export interface SessionOptions {
  limits: SessionLimits;
  /** The key with which each side rejoins. */
  resumeKeys: Record<LiveSide, string>;
  /** How long to wait for the second side. */
  pairWithinMs: number;
  onEnded(reason: EndFrame['reason']): void;
}

/** A session; it starts when both sides have joined. */
export class LiveSession {
  readonly #options: SessionOptions;
  readonly #ring: LineRing;
  readonly #seats: Partial<Record<LiveSide, Seat>> = {};
  readonly #grace: Partial<Record<LiveSide, NodeJS.Timeout>> = {};
  readonly #lifetime: NodeJS.Timeout;
  /** Number of the next line for the viewer. */
  #cursor = 1;
  /** The agent's last frame, sent to the viewer after all lines before it. */
  #lastWord: EndFrame | undefined;
  #isEnded = false;

  constructor(options: SessionOptions) {
    const { limits, pairWithinMs } = options;
    this.#options = options;
    this.#ring = createLineRing(limits.ringLines, limits.ringCharacters);
    this.#lifetime = setTimeout(() => this.end('time-limit'), limits.lifetimeMs);
    // Each side has the ticket's lifetime to join, and later the grace period to rejoin.
    this.#grace.viewer = setTimeout(() => this.end('viewer-missing'), pairWithinMs);
    this.#grace.agent = setTimeout(() => this.end('agent-missing'), pairWithinMs);
  }

  /** Seats a side, in place of its earlier connection if there is one; `next` is the first line a returning viewer wants. */
  join(side: LiveSide, socket: WebSocket, next?: number): void {
    if (this.#isEnded) {
      socket.close();
      return;
    }
    clearTimeout(this.#grace[side]);
    const earlier = this.#seats[side];
    const seat: Seat = takeSeat(socket, {
      pingEveryMs: this.#options.limits.pingEveryMs,
      onMessage: (text) => (side === 'agent' ? this.#takeAgentFrame(text) : undefined),
      onGone: (how) => this.#depart(side, seat, how),
    });
    this.#seats[side] = seat;
    earlier?.terminate();
    if (side === 'viewer' && next !== undefined)
      this.#cursor = Math.min(Math.max(1, next), this.#ring.next());
    const comes = side === 'agent' ? this.#ring.next() : this.#cursor;
    seat.send({ type: 'welcome', resume: this.#options.resumeKeys[side], next: comes });
    if (this.#seats.agent) this.#seats.viewer?.send({ type: 'peer', present: true });
    this.#pump();
  }

  /** Sends the end frame to both sides and closes their connections. */
  end(reason: EndFrame['reason'], detail?: string): void {
    this.#finish({ type: 'end', reason, ...(detail === undefined ? {} : { detail }) });
  }

  #finish(frame: EndFrame): void {
    if (this.#isEnded) return;
    this.#isEnded = true;
    for (const timer of [this.#lifetime, this.#grace.viewer, this.#grace.agent]) clearTimeout(timer);
    for (const seat of [this.#seats.viewer, this.#seats.agent]) {
      seat?.send(frame);
      seat?.close();
    }
    this.#options.onEnded(frame.reason);
  }

  /** The agent has finished: the viewer still gets the lines that it sent. */
  #drain(frame: EndFrame): void {
    this.#lastWord ??= frame;
    clearTimeout(this.#grace.agent);
    this.#pump();
  }

  #pump(): void {
    const viewer = this.#seats.viewer;
    if (this.#isEnded || !viewer?.isOpen()) return;
    while (viewer.bufferedBytes() < this.#options.limits.highWaterBytes) {
      const frame = this.#ring.read(this.#cursor, MAX_FRAME_LINES);
      if (!frame) break;
      this.#cursor = frame.from + (frame.type === 'lines' ? frame.lines.length : frame.count);
      viewer.send(frame, () => this.#pump());
    }
    if (this.#lastWord && this.#cursor >= this.#ring.next()) this.#finish(this.#lastWord);
  }

  #takeAgentFrame(text: string): void {
    const frame = parseFrame(AgentFrame, text);
    if (frame?.type === 'end') this.#drain(frame);
    else if (frame) this.#takeLines(frame);
    // A peer that breaks the protocol gets no second try.
    else this.end('follow-failed', 'the agent sent a malformed frame');
  }

  #takeLines(frame: LinesFrame | DroppedFrame): void {
    const ring = this.#ring;
    if (frame.from > ring.next()) ring.skip(frame.from - ring.next());
    // After a reconnection the agent sends some lines again.
    const known = ring.next() - frame.from;
    if (frame.type === 'dropped' && frame.count > known) ring.skip(frame.count - known);
    if (frame.type === 'lines') for (const line of frame.lines.slice(known)) ring.append(line);
    this.#pump();
  }

  #depart(side: LiveSide, seat: Seat, how: Departure): void {
    if (this.#isEnded || this.#seats[side] !== seat) return;
    delete this.#seats[side];
    if (how === 'left' && side === 'viewer') this.end('viewer-left');
    else if (how === 'left') this.#drain({ type: 'end', reason: 'agent-left' });
    else this.#awaitReturn(side);
  }

  #awaitReturn(side: LiveSide): void {
    if (side === 'agent' && !this.#lastWord) this.#seats.viewer?.send({ type: 'peer', present: false });
    const giveUp = (): void => {
      if (side === 'viewer') this.end('viewer-missing');
      else this.#drain({ type: 'end', reason: 'agent-left', detail: 'the host did not come back' });
    };
    this.#grace[side] = setTimeout(giveUp, this.#options.limits.graceMs);
  }
}
