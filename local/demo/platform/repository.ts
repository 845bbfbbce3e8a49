// The demo product's git repository: a few releases of it, one whose tests fail and one that does not start. Made once for each
// version of the product, with dates that are always the same.
import { createHash } from 'node:crypto';
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import type { HostMachine } from '#local/demo/host/host-machine.ts';
import { runProgram } from '#local/demo/host/run-program.ts';
import { LamplighterError } from '#shared/errors.ts';
import { FIRST_TAG, HISTORY, type ProductCommit } from './history.ts';

const GIT = '/usr/bin/git';
const REPOSITORY = 'opt/app/repository.git';
/** Says of which product the repository is. */
const MADE_OF = 'made-of';
const BRANCH = 'main';

/** Runs git on this machine, for nobody: no settings of a person's, fixed names and dates. */
async function git(args: readonly string[], env: Record<string, string> = {}): Promise<string> {
  const person = { NAME: 'Ada', EMAIL: 'ada@example.com' };
  const who = ['AUTHOR', 'COMMITTER'].flatMap((role) =>
    Object.entries(person).map(([key, value]) => [`GIT_${role}_${key}`, value]),
  );
  const settings = { GIT_CONFIG_NOSYSTEM: '1', GIT_CONFIG_GLOBAL: '/dev/null', HOME: '/nonexistent' };
  const { code, stdout, stderr } = await runProgram(GIT, args, {
    env: { ...settings, ...Object.fromEntries(who), ...env },
  });
  if (code === 0) return stdout.trim();
  throw new LamplighterError('failed', `make the demo's repository: git ${args.join(' ')}: ${stderr.trim()}`);
}

function writeFiles(dir: string, files: ProductCommit['files']): void {
  for (const [name, change] of Object.entries(files)) {
    const file = join(dir, name);
    mkdirSync(dirname(file), { recursive: true });
    const before = existsSync(file) ? readFileSync(file, 'utf8') : '';
    writeFileSync(file, typeof change === 'string' ? change : change(before));
  }
}

/** Commits the history into a new repository; gives the first release's hash. */
async function commitHistory(repository: string, work: string): Promise<string> {
  await git(['init', '--quiet', '--bare', '--template=', `--initial-branch=${BRANCH}`, repository]);
  const at = [`--git-dir=${repository}`, `--work-tree=${work}`];
  for (const { tag, message, date, files } of HISTORY) {
    writeFiles(work, files);
    const dates = { GIT_AUTHOR_DATE: date, GIT_COMMITTER_DATE: date };
    await git([...at, 'add', '--all', '.']);
    await git([...at, 'commit', '--quiet', '--message', message], dates);
    await git([...at, 'tag', tag]);
  }
  return await git([...at, 'rev-parse', `${FIRST_TAG}^{commit}`]);
}

function hashOf(programs: string): string {
  const hash = createHash('sha256');
  for (const name of readdirSync(programs).toSorted())
    hash.update(name).update(readFileSync(join(programs, name)));
  const story = HISTORY.map(({ files, ...head }) => [head, Object.entries(files).map(String)]);
  return hash.update(JSON.stringify(story)).digest('hex');
}

/** Puts the repository on the host, and its first release in place, as somebody did by hand before there were deploys. */
async function place(machine: HostMachine, made: string, first: string): Promise<void> {
  const app = join(machine.rootPath, 'opt/app');
  for (const path of [join(machine.rootPath, REPOSITORY), join(app, 'releases'), join(app, 'current')])
    rmSync(path, { recursive: true, force: true });
  const name = `${HISTORY[0].date.replace(/[-:]/g, '')}-${first.slice(0, 8)}`;
  mkdirSync(join(app, 'releases'));
  cpSync(join(made, 'release'), join(app, 'releases', name), { recursive: true });
  cpSync(join(made, 'repository'), join(machine.rootPath, REPOSITORY), { recursive: true });
  symlinkSync(machine.path(`/opt/app/releases/${name}`), join(app, 'current'));
  await machine.giveTo('app', [`/opt/app/releases/${name}`]);
}

/**
 * Makes the repository of a product with these programs, and its first release live; finds both when they are there. Made outside of
 * the host and copied: in a directory that is seen through /proc git can't tell where it is.
 */
export async function makeRepository(machine: HostMachine, programs: string): Promise<void> {
  const mark = join(machine.rootPath, REPOSITORY, MADE_OF);
  const hash = hashOf(programs);
  if (existsSync(mark) && readFileSync(mark, 'utf8') === hash) return;
  const made = mkdtempSync(join(tmpdir(), 'lamplighter-product-'));
  try {
    const [repository, work, release] = [join(made, 'repository'), join(made, 'work'), join(made, 'release')];
    mkdirSync(release);
    cpSync(programs, work, { recursive: true });
    const first = await commitHistory(repository, work);
    await git([`--git-dir=${repository}`, `--work-tree=${release}`, 'read-tree', '-u', '--reset', first]);
    await place(machine, made, first);
    writeFileSync(mark, hash);
  } finally {
    rmSync(made, { recursive: true, force: true });
  }
}
