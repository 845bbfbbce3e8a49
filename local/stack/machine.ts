// The host the demo runs on: real systemd where this machine allows it, the small supervisor where it does not.
import { dirname, join } from 'node:path';
import type { HostMachine } from '#local/demo/host/host-machine.ts';
import { bootHost } from '#local/demo/host/machine.ts';
import { PORTS } from '#local/demo/platform/files.ts';
import { findNginx } from '#local/demo/platform/find-nginx.ts';
import { findPostgres, serverAccount } from '#local/demo/postgres/programs.ts';
import { openSupervisedHost } from '#local/demo/supervisor/machine.ts';
import { findFreePort } from '#local/ports.ts';

const TIMEZONE = 'Europe/London';
const LOOPBACK = '127.0.0.1';
/** What this machine's own services are likely to leave free. */
const PREFERRED_PORTS = [
  [PORTS.web, 8080],
  [PORTS.proxy, 8088],
  [PORTS.postgres, 5440],
] as const;

export interface MachinePlace {
  kind: HostMachine['kind'];
  name: string;
  /** Where a host with systemd keeps its disk. */
  stateDir: string;
  /** Where a supervised host keeps its files. */
  platformDir: string;
}

/** Opens the demo's host; what it holds is kept. */
export async function openMachine({ kind, name, stateDir, platformDir }: MachinePlace): Promise<HostMachine> {
  if (kind === 'supervised') return await openSupervised(name, platformDir);
  return await bootHost({
    stateDir,
    name,
    timezone: TIMEZONE,
    // The stack's keys and database lie beside the host's state: on a real machine they are not there to be read.
    hiddenPaths: [dirname(stateDir)],
    log: () => undefined,
  });
}

async function openSupervised(name: string, dir: string): Promise<HostMachine> {
  const bin = dirname(findPostgres().postgres);
  const ports = new Map<number, number>();
  for (const [port, preferred] of PREFERRED_PORTS) ports.set(port, await findFreePort(LOOPBACK, preferred));
  findNginx();
  const clients = ['psql', 'pg_dump', 'pg_dumpall', 'pg_restore'];
  return await openSupervisedHost({
    dir,
    name,
    account: serverAccount(),
    programs: Object.fromEntries(clients.map((client) => [`usr/bin/${client}`, join(bin, client)])),
    ports,
  });
}
