// When heartbeats are sent: regularly, when another part asks for one, and when a unit has ended.
import type { UnitStatus } from '#shared/command/report.ts';
import { messageOf } from '#shared/errors.ts';
import { createBell } from '#shared/kit/bell.ts';
import type { EndWatch } from './unit-ends.ts';

const LOOK_EVERY_MS = 1000;

export interface HeartOptions {
  everyMs: number;
  /** Sends one heartbeat and returns the units in it. */
  send(): Promise<readonly UnitStatus[]>;
  ends: EndWatch;
  onTrouble(text: string): void;
  /** Ends the heart. */
  signal: AbortSignal;
}

export interface Heart {
  /** Asks for a heartbeat now, or right after the one that is being sent. */
  wake(): void;
  /** Beats until the signal is aborted. */
  beat(): Promise<void>;
}

/** Makes a heart that does not beat yet. */
export function createHeart({ everyMs, send, ends, onTrouble, signal }: HeartOptions): Heart {
  const bell = createBell();
  const sendOne = async (): Promise<void> => {
    try {
      // When a heartbeat is lost, the end of a unit that it named must be sent again.
      ends.told(await send());
    } catch (error) {
      onTrouble(`heartbeat: ${messageOf(error)}`);
    }
  };
  const beat = async (): Promise<void> => {
    const look = setInterval(() => {
      if (ends.isHeartbeatDue()) bell.ring();
    }, LOOK_EVERY_MS);
    while (!signal.aborted) {
      await sendOne();
      // A ring during the sending counts: what happened then may be missing in that heartbeat.
      await bell.wait(signal, everyMs);
    }
    clearInterval(look);
  };
  return { wake: bell.ring, beat };
}
