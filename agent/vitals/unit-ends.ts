// Notices that the main process of a unit has ended, so that a heartbeat says so before people get mail about the symptom. One
// system call per unit and look, no process started: systemd's signals over D-Bus would need a client of their own.
import type { UnitStatus } from '#shared/command/report.ts';

/** A unit that ends again and again causes at most one heartbeat in this time. */
export const MIN_GAP_MS = 10_000;

export interface EndWatch {
  /** Call it with the units of a heartbeat that was sent: from now on their main processes are watched. */
  told(units: readonly Pick<UnitStatus, 'mainPid'>[]): void;
  /** True when one of them is gone and no heartbeat was caused by that for `MIN_GAP_MS`; the caller then sends one. */
  isHeartbeatDue(): boolean;
}

export interface EndWatchDeps {
  isThere(pid: number): boolean;
  /** A clock that never jumps. */
  monotonicMs(): number;
}

/** True while there is a process with this id, of any account. systemd sees the end of a process before its id is free. */
export function isProcessThere(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return !(error instanceof Error && 'code' in error && error.code === 'ESRCH');
  }
}

/**
 * Watches the main processes that the last heartbeat named. The end of a unit without one (a timer, mount or socket), and of
 * a unit that was started after that heartbeat, comes with the next regular heartbeat.
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
