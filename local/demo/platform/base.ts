// What the demo product needs of the system below it, which a host with systemd has from Debian's packages and a
// supervised one gets from us.
import type { HostMachine } from '#local/demo/host/host-machine.ts';
import { debianBase } from './debian-base.ts';
import { supervisedBase } from './supervised-base.ts';

export interface PlatformBase {
  /** The unit of the product's database. */
  postgresUnit(): string;
  /** Makes the account that the product runs under, where there are accounts. */
  makeAccount(machine: HostMachine): Promise<void>;
  /** Makes the database cluster where missing, and starts it; it answers when this returns. */
  startPostgres(machine: HostMachine): Promise<void>;
  /** Makes nginx ready to be started with the sites in sites-enabled. */
  prepareNginx(machine: HostMachine): void;
  /** Program and arguments that test nginx's configuration there. */
  nginxTest(host: Pick<HostMachine, 'path'>): string[];
}

/** The base of a machine. */
export function baseOf({ kind }: Pick<HostMachine, 'kind'>): PlatformBase {
  return kind === 'systemd' ? debianBase : supervisedBase;
}
