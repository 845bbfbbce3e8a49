import type { HostMachine } from '#local/demo/host/host-machine.ts';
import { PORTS } from './files.ts';

/** psql on the host's own cluster, bare output, stopping at the first error; a database and what to do are still to come. */
export function psqlOn({ path, port }: Pick<HostMachine, 'path' | 'port'>): string[] {
  const cluster = ['-h', path('/var/run/postgresql'), '-p', String(port(PORTS.postgres))];
  return ['/usr/bin/psql', '-X', '-q', '-A', '-t', '-v', 'ON_ERROR_STOP=1', ...cluster];
}
