// Sees that the main process of a unit has ended, so that a heartbeat tells it before people get mail of the symptom. One
// system call per unit and look, no process started: systemd's signals over D-Bus would need a client of their own.
import type { UnitStatus } from '#shared/command/report.ts';

/** A unit that ends again and again causes at most one heartbeat in this time. */
export const MIN_GAP_MS = 10_000;

export interface EndWatch {
  /** Says what a heartbeat has told: from now on these main processes are looked at. */
  told(units: readonly Pick<UnitStatus, 'mainPid'>[]): void;
  /** True when one of them is gone and no heartbeat was caused by that for `MIN_GAP_MS`; the caller then sends one. */
  isHeartbeatDue(): boolean;
}

export interface EndWatchDeps {
  isThere(pid: number): boolean;
  /** A clock that never jumps. */
  monotonicMs(): number;
}

/** True while a process has this id, whoever owns it. It is gone only after systemd has seen its end. */
export function isProcessThere(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return !(error instanceof Error && 'code' in error && error.code === 'ESRCH');
  }
}

/**
 * Looks at the main processes that the last heartbeat told. Units without one (timers, mounts, sockets) are told by the
 * regular heartbeat, and so is a unit that was started after it.
 */
export function watchUnitEnds({ isThere, monotonicMs }: EndWatchDeps): EndWatch {
  let pids: number[] = [];
  let notBeforeMs = Number.NEGATIVE_INFINITY;
  return {
    told: (units) => {
      pids = units.map(({ mainPid }) => mainPid).filter((pid) => pid > 0);
    },
    isHeartbeatDue: () => {
      const nowMs = monotonicMs();
      if (nowMs < notBeforeMs || pids.every(isThere)) return false;
      notBeforeMs = nowMs + MIN_GAP_MS;
      return true;
    },
  };
}
