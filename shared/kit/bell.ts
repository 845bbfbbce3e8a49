// A bell between what notices something and what waits for it.

export interface Bell {
  /** Ends the wait, or the next one when nobody waits now. */
  ring(): void;
  /** Waits for a ring since the last wait; `signal`, or `timeoutMs` when given, ends the wait too. For one at a time. */
  wait(signal: AbortSignal, timeoutMs?: number): Promise<void>;
}

/** A bell that has not rung. */
export function createBell(): Bell {
  let isRung = false;
  let onRing = (): void => undefined;
  return {
    ring: () => {
      isRung = true;
      onRing();
    },
    wait: async (signal, timeoutMs) => {
      if (!isRung && !signal.aborted) {
        await new Promise<void>((resolve) => {
          const timer = timeoutMs === undefined ? undefined : setTimeout(done, timeoutMs);
          function done(): void {
            clearTimeout(timer);
            signal.removeEventListener('abort', done);
            resolve();
          }
          signal.addEventListener('abort', done);
          onRing = done;
        });
      }
      isRung = false;
    },
  };
}
