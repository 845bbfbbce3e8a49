// A host without systemd, for machines that give no right to boot one (no root, a container without namespaces, macOS):
// a directory with a host's files, and the small supervisor for its units. It shares this machine's network and clock,
// and all of it runs under one account, so what it can't show is isolation: of agent and runner, and of the network.
import { type ChildProcess, spawn } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import {
  chmodSync,
  chownSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  readdirSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { build } from 'esbuild';
import type { HostMachine } from '#local/demo/host/host-machine.ts';
import { BASE_ENV, runProgram } from '#local/demo/host/run-program.ts';
import type { Account } from '#local/demo/postgres/programs.ts';
import { listenForControl } from './control.ts';
import { reapSupervised } from './leftovers.ts';
import { linkRoot } from './root-link.ts';
import { Supervisor } from './supervisor.ts';
import { CONTROL_SOCKET } from './systemctl-answer.ts';

export interface SupervisedOptions {
  /** The host's directory, kept between runs. */
  dir: string;
  name: string;
  /** Account of every process; undefined: the caller's own. Root must give one, because PostgreSQL refuses root. */
  account: Account | undefined;
  /** Directories with programs of this machine, by the path under which the host has them. */
  programs: Readonly<Record<string, string>>;
  /** The ports of this machine that stand for the host's, by the host's port. */
  ports: ReadonlyMap<number, number>;
}

const LOOPBACK = '127.0.0.1';
const DIRECTORIES = [
  'etc/systemd/system',
  'etc/lamplighter',
  'etc/nginx',
  'opt/app',
  'opt/lamplighter',
  'proc/sys/kernel/random',
  'run',
  'usr/bin',
  'usr/lib',
  'var/lib/lamplighter',
  'var/lib/postgresql',
  'var/lib/nginx',
  'var/log/journal',
  'var/log/nginx',
] as const;
const LINKS: Readonly<Record<string, string>> = { bin: 'usr/bin', 'var/run': '../run' };
const PRIVATE = 0o700;

/** Opens the host: its directory is made where missing, and what it had enabled runs when this returns. */
export async function openSupervisedHost(options: SupervisedOptions): Promise<HostMachine> {
  const { account } = options;
  const directory = join(options.dir, 'root');
  makeDirectories(directory, account);
  const link = linkRoot(directory);
  const { root } = link;
  await reapSupervised(root);
  await writePrograms(directory, root, options.programs);
  const environment = { ...BASE_ENV, LAMPLIGHTER_ROOT: root };
  const supervisor = new Supervisor({ root, account, environment });
  const closeControl = await listenForControl(supervisor, root);
  giveAway(join(directory, CONTROL_SOCKET), account);
  writeBootId(directory);
  await supervisor.boot();

  const located = (file: string): string => (existsSync(join(root, file)) ? join(root, file) : file);
  return {
    kind: 'supervised',
    name: options.name,
    address: LOOPBACK,
    gatewayAddress: LOOPBACK,
    rootPath: directory,
    pid: process.pid,
    path: (path) => join(root, path),
    port: (port) => options.ports.get(port) ?? port,
    giveTo: (_account, paths) => {
      for (const path of paths) giveTree(join(directory, path), account);
      return Promise.resolve();
    },
    run: ([file = '', ...args], runOptions = {}) =>
      runProgram(located(file), args, {
        ...runOptions,
        env: { ...environment, ...runOptions.env },
        ...(account ? { account } : {}),
      }),
    spawn: ([file = '', ...args]): ChildProcess =>
      spawn(located(file), args, { ...account, env: environment, stdio: ['pipe', 'pipe', 'pipe'] }),
    powerOff: async () => {
      await supervisor.shutDown();
      closeControl();
      link.remove();
    },
  };
}

function giveAway(path: string, account: Account | undefined): void {
  if (account) chownSync(path, account.uid, account.gid);
}

function giveTree(path: string, account: Account | undefined): void {
  giveAway(path, account);
  if (!statSync(path).isDirectory()) return;
  for (const name of readdirSync(path)) giveTree(join(path, name), account);
}

function makeDirectories(directory: string, account: Account | undefined): void {
  mkdirSync(directory, { recursive: true });
  for (const name of DIRECTORIES) {
    mkdirSync(join(directory, name), { recursive: true });
    // Each on the way too: the installer, under that account, makes its own in them.
    for (let path = name as string; path !== '.'; path = dirname(path))
      giveAway(join(directory, path), account);
  }
  giveAway(directory, account);
  chmodSync(directory, PRIVATE);
  rmSync(join(directory, 'run'), { recursive: true, force: true });
  mkdirSync(join(directory, 'run/systemd'), { recursive: true });
  giveAway(join(directory, 'run'), account);
  for (const [name, target] of Object.entries(LINKS)) {
    rmSync(join(directory, name), { recursive: true, force: true });
    symlinkSync(target, join(directory, name));
  }
}

function writeBootId(directory: string): void {
  writeFileSync(join(directory, 'proc/sys/kernel/random/boot_id'), `${randomUUID()}\n`);
}

/** The host's own systemctl and journalctl, and this machine's programs under the host's paths. */
async function writePrograms(
  directory: string,
  root: string,
  programs: SupervisedOptions['programs'],
): Promise<void> {
  const node = join(directory, 'usr/bin/node');
  rmSync(node, { force: true });
  copyFileSync(process.execPath, node);
  chmodSync(node, 0o755);
  const names = ['systemctl', 'journalctl'];
  // A package.json further up, as a checkout has one, would make modules of files without an ending.
  writeFileSync(join(directory, 'usr/bin/package.json'), '{"type":"commonjs"}\n');
  await build({
    entryPoints: names.map((name) => join(import.meta.dirname, 'programs', `${name}.ts`)),
    outdir: join(directory, 'usr/bin'),
    bundle: true,
    format: 'cjs',
    platform: 'node',
    target: 'node24',
    // Through the short link: the kernel cuts a long first line.
    banner: { js: `#!${root}/usr/bin/node` },
    logLevel: 'silent',
  });
  for (const name of names) {
    const file = join(directory, 'usr/bin', name);
    copyFileSync(`${file}.js`, file);
    rmSync(`${file}.js`);
    chmodSync(file, 0o755);
  }
  for (const [path, target] of Object.entries(programs)) {
    rmSync(join(directory, path), { recursive: true, force: true });
    mkdirSync(dirname(join(directory, path)), { recursive: true });
    symlinkSync(target, join(directory, path));
  }
}
