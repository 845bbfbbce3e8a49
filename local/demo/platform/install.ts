// Puts the demo product on its host; a second time it finds what is there and only brings the programs up to date.
import {
  chmodSync,
  constants,
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { build } from 'esbuild';
import type { HostMachine } from '#local/demo/host/host-machine.ts';
import { baseOf } from './base.ts';
import { APPS, appUnit, ENVIRONMENT, nginxSite } from './files.ts';
import { writeOldLogs } from './old-logs.ts';
import { psqlOn } from './psql.ts';
import { makeRepository } from './repository.ts';
import { runOn } from './run-on.ts';

const SYSTEMCTL = '/usr/bin/systemctl';

/** Installs the product and starts it: nginx, three services, PostgreSQL with its data. */
export async function installPlatform(machine: HostMachine): Promise<void> {
  await baseOf(machine).makeAccount(machine);
  await Promise.all([writePrograms(machine), installDatabase(machine)]);
  writeUnits(machine);
  await runOn(machine, [SYSTEMCTL, 'daemon-reload']);
  const units = [...APPS.map((app) => `app-${app}.service`), 'nginx.service'];
  await runOn(machine, [SYSTEMCTL, 'enable', '--quiet', ...units]);
  await runOn(machine, [SYSTEMCTL, 'restart', ...units]);
}

async function writePrograms(machine: HostMachine): Promise<void> {
  const app = join(machine.rootPath, 'opt/app');
  for (const dir of ['bin', 'logs', 'incoming']) mkdirSync(join(app, dir), { recursive: true });
  writeOldLogs(join(app, 'logs'), Date.now());
  // Beside and renamed: a program that still runs from an earlier start can't be written over.
  copyFileSync(process.execPath, join(app, 'bin/node.new'), constants.COPYFILE_FICLONE);
  chmodSync(join(app, 'bin/node.new'), 0o755);
  renameSync(join(app, 'bin/node.new'), join(app, 'bin/node'));
  const programs = mkdtempSync(join(tmpdir(), 'lamplighter-programs-'));
  try {
    await buildPrograms(programs);
    await makeRepository(machine, programs);
  } finally {
    rmSync(programs, { recursive: true, force: true });
  }
  const environment = join(app, '.env');
  if (!existsSync(environment)) writeFileSync(environment, ENVIRONMENT, { mode: 0o600 });
  await makeBackupDir(machine);
  await machine.giveTo('app', ['/opt/app/logs', '/opt/app/incoming', '/opt/app/.env']);
}

async function buildPrograms(outdir: string): Promise<void> {
  await build({
    entryPoints: APPS.map((name) => join(import.meta.dirname, 'apps', `${name}.ts`)),
    outdir,
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
}

/** Root's, and nobody else's; what it holds belongs to the agent's account too. */
async function makeBackupDir(machine: HostMachine): Promise<void> {
  const dir = '/opt/app/backups';
  const isNew = mkdirSync(join(machine.rootPath, dir), { recursive: true, mode: 0o700 }) !== undefined;
  if (isNew) await machine.giveTo('root', [dir]);
}

async function installDatabase(machine: HostMachine): Promise<void> {
  await baseOf(machine).startPostgres(machine);
  const asPostgres = (args: string[], input?: string) =>
    runOn(machine, [...psqlOn(machine), ...args], {
      user: 'postgres',
      ...(input === undefined ? {} : { input }),
    });
  const roles = await asPostgres(['-d', 'postgres', '-c', "SELECT 1 FROM pg_roles WHERE rolname = 'app'"]);
  if (roles.stdout.trim() === '') await asPostgres(['-d', 'postgres', '-c', 'CREATE ROLE app LOGIN']);
  const databases = await asPostgres([
    '-d',
    'postgres',
    '-c',
    "SELECT datname FROM pg_database WHERE datname LIKE 'analytics%'",
  ]);
  if (databases.stdout.split('\n').includes('analytics')) return;
  // Filled under another name and renamed: a start that is cut short leaves no half of it.
  await asPostgres(['-d', 'postgres', '-c', 'DROP DATABASE IF EXISTS analytics_seeding']);
  await asPostgres([
    '-d',
    'postgres',
    '-c',
    "CREATE DATABASE analytics_seeding OWNER app TEMPLATE template0 ENCODING 'UTF8' LC_COLLATE 'C.UTF-8' LC_CTYPE 'C.UTF-8'",
  ]);
  const seed = `SET ROLE app;\n${readFileSync(join(import.meta.dirname, 'seed.sql'), 'utf8')}`;
  await asPostgres(['-d', 'analytics_seeding'], seed);
  await asPostgres(['-d', 'postgres', '-c', 'ALTER DATABASE analytics_seeding RENAME TO analytics']);
}

function writeUnits(machine: HostMachine): void {
  const root = machine.rootPath;
  const base = baseOf(machine);
  for (const app of APPS)
    writeFileSync(
      join(root, `etc/systemd/system/app-${app}.service`),
      appUnit(app, base.postgresUnit(), machine),
    );
  const sites = join(root, 'etc/nginx/sites-enabled');
  mkdirSync(sites, { recursive: true });
  for (const site of readdirSync(sites)) rmSync(join(sites, site));
  mkdirSync(join(root, 'etc/nginx/sites-available'), { recursive: true });
  writeFileSync(join(root, 'etc/nginx/sites-available/app'), nginxSite(machine));
  symlinkSync('../sites-available/app', join(sites, 'app'));
  mkdirSync(join(root, 'var/log/nginx'), { recursive: true });
  base.prepareNginx(machine);
}
