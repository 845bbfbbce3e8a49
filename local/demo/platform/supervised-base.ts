// The product's base on a supervised host: this machine's PostgreSQL and nginx, with data, settings and units of its own
// below the host's root. Nobody but the host's one account can enter there, so its socket trusts who comes.
import { existsSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { HostMachine } from '#local/demo/host/host-machine.ts';
import { findPostgres } from '#local/demo/postgres/programs.ts';
import { lookUntil } from '#local/wait.ts';
import { LamplighterError } from '#shared/errors.ts';
import { PORTS } from './files.ts';
import { findNginx } from './find-nginx.ts';
import { psqlOn } from './psql.ts';
import { runOn } from './run-on.ts';

const SYSTEMCTL = '/usr/bin/systemctl';
const POSTGRES_UNIT = 'postgresql.service';
const DATA = '/var/lib/postgresql/main';
const READY_DEADLINE_MS = 30_000;

function postgresUnitText({ path, port }: HostMachine): string {
  const settings = [
    'listen_addresses=127.0.0.1',
    `port=${port(PORTS.postgres)}`,
    `unix_socket_directories=${path('/run/postgresql')}`,
  ];
  return `[Unit]
Description=PostgreSQL

[Service]
ExecStart=${findPostgres().postgres} -D ${path(DATA)} ${settings.map((setting) => `-c ${setting}`).join(' ')}
ExecReload=/bin/kill -HUP $MAINPID
RuntimeDirectory=postgresql
KillSignal=SIGINT
Restart=on-failure
RestartSec=1

[Install]
WantedBy=multi-user.target
`;
}

function nginxCommand({ path }: Pick<HostMachine, 'path'>): string[] {
  return [findNginx(), '-e', 'stderr', '-p', path('/etc/nginx'), '-c', path('/etc/nginx/nginx.conf')];
}

function nginxUnitText(machine: HostMachine): string {
  return `[Unit]
Description=nginx

[Service]
ExecStart=${nginxCommand(machine).join(' ')}
ExecReload=/bin/kill -HUP $MAINPID
KillSignal=SIGQUIT
TimeoutStopSec=5

[Install]
WantedBy=multi-user.target
`;
}

const TEMP_PATHS = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'];

function nginxConfiguration({ path }: HostMachine): string {
  const temporary = TEMP_PATHS.map((name) => `    ${name}_temp_path ${path(`/var/lib/nginx/${name}`)};`);
  return `daemon off;
pid ${path('/run/nginx.pid')};
error_log stderr;
worker_processes 1;
events { worker_connections 64; }
http {
${temporary.join('\n')}
    include ${path('/etc/nginx/sites-enabled')}/*;
}
`;
}

async function makeCluster(machine: HostMachine): Promise<void> {
  const data = join(machine.rootPath, DATA);
  if (existsSync(join(data, 'PG_VERSION'))) return;
  // What an initdb that was killed left behind would make the next one fail.
  rmSync(`${data}.new`, { recursive: true, force: true });
  const auth = ['--auth-local=trust', '--auth-host=reject'];
  const form = ['--encoding=UTF8', '--locale=C.UTF-8', '--no-instructions'];
  await runOn(machine, [findPostgres().initdb, '-D', machine.path(`${DATA}.new`), ...auth, ...form]);
  renameSync(`${data}.new`, data);
}

async function awaitReady(machine: HostMachine): Promise<void> {
  let said = '';
  const ask = async (): Promise<true | undefined> => {
    const { code, stderr } = await machine.run([...psqlOn(machine), '-d', 'postgres', '-c', '']);
    said = stderr.trim();
    return code === 0 ? true : undefined;
  };
  if (!(await lookUntil(ask, { withinMs: READY_DEADLINE_MS, everyMs: 100 })))
    throw new LamplighterError('timed-out', `start PostgreSQL on ${machine.name}: ${said}`);
}

async function startPostgres(machine: HostMachine): Promise<void> {
  await makeCluster(machine);
  writeFileSync(join(machine.rootPath, 'etc/systemd/system', POSTGRES_UNIT), postgresUnitText(machine));
  await runOn(machine, [SYSTEMCTL, 'enable', POSTGRES_UNIT]);
  // Its port may be another than in the run before.
  await runOn(machine, [SYSTEMCTL, 'restart', POSTGRES_UNIT]);
  await awaitReady(machine);
}

export const supervisedBase = {
  nginxTest: (host: Pick<HostMachine, 'path'>): string[] => [...nginxCommand(host), '-t'],
  postgresUnit: (): string => POSTGRES_UNIT,
  makeAccount: (): Promise<void> => Promise.resolve(),
  startPostgres,
  prepareNginx: (machine: HostMachine): void => {
    const etc = join(machine.rootPath, 'etc');
    writeFileSync(join(etc, 'nginx/nginx.conf'), nginxConfiguration(machine));
    writeFileSync(join(etc, 'systemd/system/nginx.service'), nginxUnitText(machine));
  },
};
