// What a unit's state comes to: whether it is as it should be after it was started or stopped. systemd.unit(5),
// systemd.service(5), and `systemctl show`, for every type of unit.

/** The state of a unit beyond its status: enough to tell one start from the next, and success from failure. */
export interface UnitMoment {
  loadState: string;
  activeState: string;
  subState: string;
  /** Why it ended last: `success`, `exit-code`, `signal`, `timeout`… */
  result: string;
  /** New with each start of the unit; empty when it was never started, or systemd has forgotten it. */
  invocationId: string;
  /** systemd still works on it: a job waits or runs, or it is between two states. */
  isMoving: boolean;
  /** A service that runs to its end (Type=oneshot) and is not kept active after it. */
  isOneshot: boolean;
  /** It was asked to start and did not, since a Condition…= of its unit file does not hold. */
  isConditionUnmet: boolean;
  /** Units that start it again when it is stopped: its socket, timer or path. */
  triggeredBy: string;
  /** How long systemd gives it to start and to stop, as it writes spans; empty where there is no such limit. */
  startLimit: string;
  stopLimit: string;
}

/**
 * - `up`: active, also while it reloads, whatever its type: running, exited, listening, waiting, mounted, plugged.
 * - `done`: a oneshot service that ran to its end and ended well.
 * - `moving`: systemd still works on it.
 * - `failed`: systemd calls it that.
 * - `not-started`: a condition kept it from starting.
 * - `down`: anything else.
 */
export type UnitStand = 'up' | 'done' | 'moving' | 'failed' | 'not-started' | 'down';

const UP = new Set(['active', 'reloading', 'refreshing']);

/** What the moment comes to. A unit that is up while a job waits for it is moving. */
export function standOf(moment: UnitMoment): UnitStand {
  if (moment.isMoving) return 'moving';
  return restingStandOf(moment);
}

/** The same without regard to jobs: what it is at just now. */
export function restingStandOf({ activeState, isConditionUnmet, isOneshot, result }: UnitMoment): UnitStand {
  if (UP.has(activeState)) return 'up';
  if (activeState === 'activating' || activeState === 'deactivating' || activeState === 'maintenance')
    return 'moving';
  if (activeState === 'failed') return 'failed';
  if (isConditionUnmet) return 'not-started';
  return isOneshot && result === 'success' ? 'done' : 'down';
}

/** The moment in words, for messages. */
export function describeMoment({ activeState, subState, result }: UnitMoment): string {
  const why = result === '' || result === 'success' ? '' : `, result ${result}`;
  return `${activeState} (${subState}${why})`;
}
