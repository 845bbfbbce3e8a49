// The product's base on a host with systemd: Debian's own PostgreSQL cluster and nginx, as on a production VM.
import { existsSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import type { HostMachine } from '#local/demo/host/host-machine.ts';
import { findPostgres } from '#local/demo/postgres/programs.ts';
import { runOn } from './run-on.ts';

const SYSTEMCTL = '/usr/bin/systemctl';

/** Debian keeps each version's programs in `/usr/lib/postgresql/<version>/bin`. */
function postgresVersion(): string {
  return basename(dirname(dirname(findPostgres().postgres)));
}

function postgresUnit(): string {
  return `postgresql@${postgresVersion()}-main.service`;
}

async function makeAccount(machine: HostMachine): Promise<void> {
  const { code } = await machine.run(['/usr/bin/getent', 'passwd', 'app']);
  if (code === 0) return;
  const place = ['--home-dir', '/opt/app', '--shell', '/usr/sbin/nologin'];
  await runOn(machine, ['/usr/sbin/useradd', '--system', '--user-group', ...place, 'app']);
}

async function startPostgres(machine: HostMachine): Promise<void> {
  const version = postgresVersion();
  if (!existsSync(join(machine.rootPath, `etc/postgresql/${version}/main/postgresql.conf`))) {
    await runOn(machine, ['/usr/bin/pg_createcluster', version, 'main']);
  }
  await runOn(machine, [SYSTEMCTL, 'daemon-reload']);
  await runOn(machine, [SYSTEMCTL, 'enable', '--quiet', '--now', postgresUnit()]);
}

export const debianBase = {
  postgresUnit,
  makeAccount,
  startPostgres,
  prepareNginx: (): void => undefined,
  nginxTest: (): string[] => ['/usr/sbin/nginx', '-t'],
};
