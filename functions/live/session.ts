// One person watching one agent: lines go through a bounded ring, so a slow or cut-off viewer loses lines visibly
// instead of costing memory, and either side's leaving ends both.
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
  /** A session ends after this long, whatever happens. */
  lifetimeMs: number;
  /** How long a side may be away. */
  graceMs: number;
  pingEveryMs: number;
  /** Lines and characters kept for a viewer that is slow or away. */
  ringLines: number;
  ringCharacters: number;
  /** No more is handed to the viewer's socket while this much waits in it. */
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

export interface SessionTerms {
  limits: SessionLimits;
  /** What each side resumes with. */
  resumeKeys: Record<LiveSide, string>;
  /** How long the second side may take to come. */
  pairWithinMs: number;
  onEnded(reason: EndFrame['reason']): void;
}

/** A session that waits for both sides. */
export class LiveSession {
  readonly #terms: SessionTerms;
  readonly #ring: LineRing;
  readonly #seats: Partial<Record<LiveSide, Seat>> = {};
  readonly #grace: Partial<Record<LiveSide, NodeJS.Timeout>> = {};
  readonly #lifetime: NodeJS.Timeout;
  /** Number of the line that the viewer gets next. */
  #cursor = 1;
  /** The agent is done with this; it is said when the viewer has all that came before. */
  #lastWord: EndFrame | undefined;
  #isEnded = false;

  constructor(terms: SessionTerms) {
    const { limits, pairWithinMs } = terms;
    this.#terms = terms;
    this.#ring = createLineRing(limits.ringLines, limits.ringCharacters);
    this.#lifetime = setTimeout(() => this.end('time-limit'), limits.lifetimeMs);
    // Each side has the ticket's time to come at all, then the grace to come back.
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
      pingEveryMs: this.#terms.limits.pingEveryMs,
      onMessage: (text) => (side === 'agent' ? this.#takeAgentFrame(text) : undefined),
      onGone: (how) => this.#depart(side, seat, how),
    });
    this.#seats[side] = seat;
    earlier?.terminate();
    if (side === 'viewer' && next !== undefined)
      this.#cursor = Math.min(Math.max(1, next), this.#ring.next());
    const comes = side === 'agent' ? this.#ring.next() : this.#cursor;
    seat.send({ type: 'welcome', resume: this.#terms.resumeKeys[side], next: comes });
    if (this.#seats.agent) this.#seats.viewer?.send({ type: 'peer', present: true });
    this.#pump();
  }

  /** Tells both sides and lets them go. */
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
    this.#terms.onEnded(frame.reason);
  }

  /** The agent is done: what it sent still goes to the viewer. */
  #drain(frame: EndFrame): void {
    this.#lastWord ??= frame;
    clearTimeout(this.#grace.agent);
    this.#pump();
  }

  #pump(): void {
    const viewer = this.#seats.viewer;
    if (this.#isEnded || !viewer?.isOpen()) return;
    while (viewer.bufferedBytes() < this.#terms.limits.highWaterBytes) {
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
    // A peer that does not speak the protocol gets no second try.
    else this.end('follow-failed', 'the agent sent a frame that is none');
  }

  #takeLines(frame: LinesFrame | DroppedFrame): void {
    const ring = this.#ring;
    if (frame.from > ring.next()) ring.skip(frame.from - ring.next());
    // Lines that came before the connection broke come again after it.
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
    this.#grace[side] = setTimeout(giveUp, this.#terms.limits.graceMs);
  }
}
