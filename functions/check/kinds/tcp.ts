// TCP checks: good when the port takes a connection in time.
import { connect } from 'node:net';
import { attemptTimeoutMs, failedLook, type LookResult, roundMs } from './look-result.ts';

export interface TcpTarget {
  address: string;
  port: number;
  timeoutMs: number;
}

/** Connects once and hangs up. Never rejects. */
export function lookTcp({ address, port, timeoutMs }: TcpTarget): Promise<LookResult> {
  return new Promise((resolve) => {
    const startedAt = performance.now();
    const autoSelectFamilyAttemptTimeout = attemptTimeoutMs(timeoutMs);
    const socket = connect({ host: address, port, autoSelectFamilyAttemptTimeout });
    const finish = (result: LookResult): void => {
      clearTimeout(timer);
      socket.destroy();
      resolve(result);
    };
    // The socket's own time-out does not cover the look-up of the name.
    const timer = setTimeout(
      () => finish({ verdict: 'bad', reason: `no connection within ${timeoutMs} ms`, latencyMs: null }),
      timeoutMs,
    );
    socket.once('connect', () => {
      const latencyMs = roundMs(performance.now() - startedAt);
      finish({ verdict: 'good', reason: `connected in ${latencyMs} ms`, latencyMs });
    });
    // The listener stays after the end: a late error of a destroyed socket must not end the process.
    socket.on('error', (error) => finish(failedLook(error, address)));
  });
}
