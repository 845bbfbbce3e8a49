// Puts the demo product on its host; a second time it finds what is there and only brings the programs up to date.
import {
  chmodSync,
  constants,
  copyFileSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { build } from 'esbuild';
import type { HostMachine } from '#local/host/machine.ts';
import type { RunResult } from '#local/host/run-program.ts';
import { findPostgresBinDir } from '#local/setup/capabilities.ts';
import { LamplighterError } from '#shared/errors.ts';
import { APPS, appUnit, ENVIRONMENT, NGINX_SITE } from './files.ts';
import { writeOldLogs } from './old-logs.ts';

const SYSTEMCTL = '/bin/systemctl';

/** The unit of the demo's database on this machine's PostgreSQL version, e.g. `postgresql@15-main.service`. */
export function postgresUnit(): string {
  return `postgresql@${postgresVersion()}-main.service`;
}

function postgresVersion(): string {
  const binDir = findPostgresBinDir();
  if (!binDir)
    throw new LamplighterError('unavailable', 'find PostgreSQL: no server under /usr/lib/postgresql');
  return basename(dirname(binDir));
}

async function runOn(
  machine: HostMachine,
  argv: string[],
  options: { user?: string; input?: string } = {},
): Promise<RunResult> {
  const result = await machine.run(argv, { ...options, timeoutMs: 120_000 });
  if (result.code === 0) return result;
  const said = result.stderr.trim() || result.stdout.trim();
  throw new LamplighterError(
    'failed',
    `install platform on ${machine.name}: ${argv.join(' ')}: ${said.slice(-1000)}`,
  );
}

/** Installs the product and starts it: nginx, three services, PostgreSQL with its data. */
export async function installPlatform(machine: HostMachine): Promise<void> {
  await makeAccount(machine);
  await Promise.all([writePrograms(machine), installDatabase(machine)]);
  writeUnits(machine);
  await runOn(machine, [SYSTEMCTL, 'daemon-reload']);
  const units = [...APPS.map((app) => `app-${app}.service`), 'nginx.service'];
  await runOn(machine, [SYSTEMCTL, 'enable', '--quiet', ...units]);
  await runOn(machine, [SYSTEMCTL, 'restart', ...units]);
}

async function makeAccount(machine: HostMachine): Promise<void> {
  const { code } = await machine.run(['/usr/bin/getent', 'passwd', 'app']);
  if (code !== 0) {
    await runOn(machine, [
      '/usr/sbin/useradd',
      '--system',
      '--user-group',
      '--home-dir',
      '/opt/app',
      '--shell',
      '/usr/sbin/nologin',
      'app',
    ]);
  }
}

async function writePrograms(machine: HostMachine): Promise<void> {
  const app = join(machine.rootPath, 'opt/app');
  for (const dir of ['bin', 'current', 'logs', 'backups', 'incoming'])
    mkdirSync(join(app, dir), { recursive: true });
  writeOldLogs(join(app, 'logs'), Date.now());
  // Beside and renamed: a program that still runs from an earlier start can't be written over.
  copyFileSync(process.execPath, join(app, 'bin/node.new'), constants.COPYFILE_FICLONE);
  chmodSync(join(app, 'bin/node.new'), 0o755);
  renameSync(join(app, 'bin/node.new'), join(app, 'bin/node'));
  await build({
    entryPoints: APPS.map((name) => join(import.meta.dirname, 'apps', `${name}.ts`)),
    outdir: join(app, 'current'),
    outExtension: { '.js': '.mjs' },
    bundle: true,
    format: 'esm',
    platform: 'node',
    target: 'node24',
    external: ['pg-native'],
    // pg is CommonJS and asks for Node's own modules with require.
    banner: {
      js: "import { createRequire } from 'node:module'; const require = createRequire(import.meta.url);",
    },
    logLevel: 'silent',
  });
  const environment = join(app, '.env');
  if (!existsSync(environment)) writeFileSync(environment, ENVIRONMENT, { mode: 0o600 });
  await runOn(machine, [
    '/bin/chown',
    '-R',
    'app:app',
    '/opt/app/logs',
    '/opt/app/incoming',
    '/opt/app/.env',
  ]);
  await runOn(machine, ['/bin/chmod', '0700', '/opt/app/backups']);
}

async function installDatabase(machine: HostMachine): Promise<void> {
  const version = postgresVersion();
  if (!existsSync(join(machine.rootPath, `etc/postgresql/${version}/main/postgresql.conf`))) {
    await runOn(machine, ['/usr/bin/pg_createcluster', version, 'main']);
  }
  await runOn(machine, [SYSTEMCTL, 'daemon-reload']);
  await runOn(machine, [SYSTEMCTL, 'enable', '--quiet', '--now', postgresUnit()]);
  const asPostgres = (args: string[], input?: string) =>
    runOn(machine, ['/usr/bin/psql', '-X', '-q', '-A', '-t', '-v', 'ON_ERROR_STOP=1', ...args], {
      user: 'postgres',
      ...(input === undefined ? {} : { input }),
    });
  const roles = await asPostgres(['-c', "SELECT 1 FROM pg_roles WHERE rolname = 'app'"]);
  if (roles.stdout.trim() === '') await asPostgres(['-c', 'CREATE ROLE app LOGIN']);
  const databases = await asPostgres([
    '-c',
    "SELECT datname FROM pg_database WHERE datname LIKE 'analytics%'",
  ]);
  if (databases.stdout.split('\n').includes('analytics')) return;
  // Filled under another name and renamed: a start that is cut short leaves no half of it.
  await asPostgres(['-c', 'DROP DATABASE IF EXISTS analytics_seeding']);
  await asPostgres([
    '-c',
    "CREATE DATABASE analytics_seeding OWNER app TEMPLATE template0 ENCODING 'UTF8' LC_COLLATE 'C.UTF-8' LC_CTYPE 'C.UTF-8'",
  ]);
  const seed = `SET ROLE app;\n${readFileSync(join(import.meta.dirname, 'seed.sql'), 'utf8')}`;
  await asPostgres(['-d', 'analytics_seeding'], seed);
  await asPostgres(['-c', 'ALTER DATABASE analytics_seeding RENAME TO analytics']);
}

function writeUnits(machine: HostMachine): void {
  const root = machine.rootPath;
  for (const app of APPS)
    writeFileSync(join(root, `etc/systemd/system/app-${app}.service`), appUnit(app, postgresUnit()));
  const sites = join(root, 'etc/nginx/sites-enabled');
  mkdirSync(sites, { recursive: true });
  for (const site of readdirSync(sites)) rmSync(join(sites, site));
  mkdirSync(join(root, 'etc/nginx/sites-available'), { recursive: true });
  writeFileSync(join(root, 'etc/nginx/sites-available/app'), NGINX_SITE);
  symlinkSync('../sites-available/app', join(sites, 'app'));
  mkdirSync(join(root, 'var/log/nginx'), { recursive: true });
}
