// The host the demo runs on: real systemd where this machine allows it.
import { dirname } from 'node:path';
import { bootHost, type HostMachine } from '#local/host/machine.ts';

const TIMEZONE = 'Europe/London';

/** Boots the demo's host; its disk is kept under `stateDir`. */
export function openMachine(stateDir: string, name: string): Promise<HostMachine> {
  return bootHost({
    stateDir,
    name,
    timezone: TIMEZONE,
    // The stack's keys and database lie beside the host's state: on a real machine they are not there to be read.
    hiddenPaths: [dirname(stateDir)],
    log: () => undefined,
  });
}
