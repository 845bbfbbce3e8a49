// Deploys with a real git and a real PostgreSQL, carried out as root does; what counts is what the link leads to and what the
// account did there.
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, dirname, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { Deployed } from '#shared/operations/deploy.ts';
import { Policy } from '#shared/policy/policy.ts';
import { canLab, type HostLab, type LabRun, openHostLab } from '#test/fixtures/host-lab.ts';
import { PATIENCE_MS } from '#test/fixtures/patience.ts';
import { makeProductRepository, type ProductRepository } from '#test/fixtures/product-repository.ts';

const SLOW_MS = 300_000;
const ACCOUNT = 'nobody';
const DATABASE = 'shop';

describe.skipIf(!canLab)('deploy.run (needs root on Linux)', { timeout: SLOW_MS }, () => {
  let lab: HostLab;
  let dir: string;
  let product: ProductRepository;
  let policy: Policy;
  let commits: Record<string, string>;

  const releases = (): string => join(dir, 'releases');
  const current = (): string => join(dir, 'current');
  const live = (): string | undefined =>
    existsSync(current()) ? basename(readlinkSync(current())) : undefined;
  const page = (): string => readFileSync(join(current(), 'page.txt'), 'utf8');
  const listed = (): string[] => (existsSync(releases()) ? readdirSync(releases()).toSorted() : []);

  beforeAll(async () => {
    lab = await openHostLab([DATABASE]);
    await lab.cluster.query('postgres', `CREATE DATABASE ${DATABASE}`);
    await lab.cluster.query(DATABASE, 'CREATE TABLE done (name text)');
  });
  afterAll(async () => {
    await lab?.close();
  });

  beforeEach(() => {
    dir = mkdtempSync(join(tmpdir(), 'lamplighter-deploy-'));
    chmodSync(dir, 0o755);
    product = makeProductRepository(join(dir, 'product.git'));
    const build = '#!/bin/sh\nid -un > built-by\n';
    const check = '#!/bin/sh\necho checking "$LAMPLIGHTER_REF"\n';
    commits = {
      first: product.commit('first page', { 'page.txt': 'one', 'build.sh': build, 'check.sh': check }, 'v1'),
      second: product.commit('second page', { 'page.txt': 'two' }, 'v2'),
      bad: product.commit(
        'a page with a fault',
        {
          'check.sh': '#!/bin/sh\necho 1 of 7 tests failed; echo password=hunter2hunter2 >&2; exit 3\n',
        },
        'v3',
      ),
    };
    policy = policyWith({});
    return () => rmSync(dir, { recursive: true, force: true });
  });

  function policyWith(change: object, more: object = {}): Policy {
    const psql = ['/usr/bin/psql', '-X', '-h', '127.0.0.1', '-p', String(lab.cluster.port), '-U', 'postgres'];
    return Policy.parse({
      ...lab.policy,
      operations: ['deploy.run'],
      deployments: {
        page: {
          account: ACCOUNT,
          git: {
            remote: product.dir,
            releases: releases(),
            current: current(),
            keep: 3,
            install: [['/bin/sh', 'build.sh']],
            test: [['/bin/sh', 'check.sh']],
            migrate: {
              paths: ['migrations'],
              run: [[...psql, '-d', DATABASE, '-v', 'ON_ERROR_STOP=1', '-f', 'migrations/all.sql']],
            },
            ...change,
          },
          ...more,
        },
      },
    });
  }

  const begin = (ref: string, terms = policy): LabRun =>
    lab.start(
      'deploy.run',
      { deployment: 'page', ref, services: [], backup: { database: DATABASE, encryptDump: false } },
      terms,
    );
  const deploy = async (ref: string, terms = policy) => await begin(ref, terms).ended();
  async function deployed(ref: string, terms = policy): Promise<Deployed> {
    const ending = await deploy(ref, terms);
    expect(ending, JSON.stringify(ending)).toMatchObject({ state: 'succeeded' });
    return Deployed.parse(ending.result);
  }

  test.each([
    ['a tag', 'v2', 'second'],
    ['a branch', 'main', 'bad'],
    ['a commit', 'HEAD~1', 'second'],
    ['the begin of a commit', 'HEAD~2', 'first'],
  ])('%s is checked out, installed and put in place, all as the account', async (kind, which, name) => {
    if (name === 'bad') product.commit('mended', { 'check.sh': '#!/bin/sh\n' });
    const commit = which.startsWith('v') || which === 'main' ? '' : product.git('rev-parse', which);
    const ref = commit === '' ? which : kind === 'a commit' ? commit : commit.slice(0, 9);
    const result = await deployed(ref);
    expect(result).toMatchObject({ deployment: 'page', ref, before: null, migrated: false });
    expect(result.commit).toBe(product.git('rev-parse', `${which}^{commit}`));
    expect(live()).toBe(result.release);
    expect(readFileSync(join(current(), 'built-by'), 'utf8').trim()).toBe(ACCOUNT);
    // Nobody but root decides which releases there are.
    expect(statSync(releases()).uid).toBe(0);
    expect(existsSync(join(current(), '.git'))).toBe(false);
  });

  test('failing tests leave the old release in place, and their last lines are told without their secrets', async () => {
    const { release } = await deployed('v2');
    const ending = await deploy('v3');
    expect(ending).toMatchObject({
      state: 'failed',
      code: 'step-failed',
      message: expect.stringMatching(/^test: run \/bin\/sh check\.sh: exit 3; everything was put back$/),
    });
    expect(ending.output).toContain('1 of 7 tests failed');
    expect(JSON.stringify(ending)).not.toContain('hunter2');
    expect(live()).toBe(release);
    expect(listed()).toEqual([release]);
    expect(page()).toBe('two');
  });

  test.each([
    ['v9', /^find-release: find ref v9: .* has no such tag, branch or commit/],
    ['HEAD', /has no such tag, branch or commit/],
    ['refs/heads/main', /has no such tag, branch or commit/],
  ])('there is no ref %s', async (ref, message) => {
    expect(await deploy(ref)).toMatchObject({ state: 'failed', message: expect.stringMatching(message) });
    expect(listed()).toEqual([]);
  });

  test('a commit that was taken out of the repository is not deployed', async () => {
    await deployed('v2');
    const gone = commits.bad ?? '';
    await deploy(gone);
    product.git('tag', '--delete', 'v3');
    product.git('reset', '--quiet', '--hard', 'v2');
    expect(await deploy(gone)).toMatchObject({
      message: expect.stringContaining('no such tag, branch or commit'),
    });
  });

  test('a name that a tag and a branch have, and that differ, is asked back', async () => {
    product.git('branch', 'v1', 'v2');
    expect(await deploy('v1')).toMatchObject({
      state: 'failed',
      message: expect.stringContaining('a tag and a branch have this name'),
      hint: expect.stringContaining(commits.first ?? '-'),
    });
  });

  test('hooks, submodules and settings of the repository run nothing', async () => {
    const mark = join(dir, 'open/ran');
    product.commit(
      'hostile',
      {
        '.gitmodules': `[submodule "x"]\n\tpath = x\n\turl = ext::sh -c touch% ${mark}\n`,
        '.gitattributes': 'page.txt filter=run\n',
        'check.sh': '#!/bin/sh\n',
      },
      'v4',
    );
    // Where the account may write, so that what runs leaves its mark.
    mkdirSync(dirname(mark));
    chmodSync(dirname(mark), 0o777);
    for (const name of ['post-checkout', 'pre-receive', 'reference-transaction', 'pre-auto-gc'])
      writeFileSync(join(product.dir, '.git/hooks', name), `#!/bin/sh\ntouch ${mark}\n`, { mode: 0o755 });
    product.git('config', 'filter.run.smudge', `touch ${mark}; cat`);
    await deployed('v4');
    expect(existsSync(mark)).toBe(false);
  });

  test('keeps as many releases as the policy says, and never fewer than the live one and the one before', async () => {
    const made = [];
    for (const ref of ['v1', 'v2', 'v1', 'v2']) made.push((await deployed(ref)).release);
    expect(listed()).toEqual(made.slice(-3).toSorted());
    expect(live()).toBe(made.at(-1));
  });

  test('what outlives releases is linked into each', async () => {
    const shared = join(dir, 'shared.env');
    writeFileSync(shared, 'KEY=1\n');
    await deployed('v1', policyWith({ links: { 'config/.env': shared } }));
    expect(readlinkSync(join(current(), 'config/.env'))).toBe(shared);
  });

  test('a program that takes too long is ended with all that it started', async () => {
    mkdirSync(join(dir, 'out'));
    chmodSync(join(dir, 'out'), 0o777);
    product.commit('slow', { 'check.sh': `#!/bin/sh\nsleep 1000 & echo $! > ${dir}/out/pid; wait\n` }, 'v5');
    const ending = await deploy('v5', policyWith({}, { programTimeoutMs: 3000 }));
    expect(ending).toMatchObject({
      state: 'failed',
      message: expect.stringContaining('test: run /bin/sh check.sh: not done within 3000 ms'),
    });
    const pid = readFileSync(join(dir, 'out/pid'), 'utf8').trim();
    // One that nobody waits for may stay in the table of processes as a zombie.
    const stat = existsSync(`/proc/${pid}/stat`) ? readFileSync(`/proc/${pid}/stat`, 'utf8') : 'gone Z';
    expect(stat).toMatch(/ Z/);
  });

  test('something else under the name of the link is not replaced', async () => {
    mkdirSync(current());
    expect(await deploy('v1')).toMatchObject({
      state: 'failed',
      message: expect.stringContaining('it is not a symbolic link'),
    });
    expect(statSync(current()).isDirectory()).toBe(true);
  });

  describe('a migration', () => {
    const ran = async (): Promise<unknown[]> => {
      const rows = await lab.cluster.query(DATABASE, 'SELECT name FROM done ORDER BY name');
      return rows.map(({ name }) => name);
    };
    const backups = (): string[] => (existsSync(lab.localDir) ? readdirSync(lab.localDir) : []);

    beforeEach(async () => {
      await lab.cluster.query(DATABASE, 'TRUNCATE done');
      rmSync(lab.localDir, { recursive: true, force: true });
    });

    test('runs after a backup, and only when its files changed', async () => {
      const add = (name: string) => `INSERT INTO done VALUES ('${name}');\n`;
      product.git('checkout', '--quiet', 'v2');
      product.commit('with a table', { 'migrations/all.sql': add('a') }, 'v6');
      product.commit('a page more', { 'page.txt': 'three' }, 'v7');
      const first = await deployed('v6');
      expect(await ran()).toEqual(['a']);
      expect(backups()).toEqual([first.backupId]);
      const second = await deployed('v7');
      expect(second).toMatchObject({ migrated: false, before: join(releases(), first.release) });
      expect(second.backupId).toBeUndefined();
      expect(await ran()).toEqual(['a']);
    });

    test('that fails is not called undone, and its backup is named', async () => {
      product.git('checkout', '--quiet', 'v2');
      product.commit(
        'a bad table',
        {
          'migrations/all.sql': "INSERT INTO done VALUES ('half');\nSELECT 1/0;\n",
        },
        'v8',
      );
      const { release } = await deployed('v2');
      const ending = await deploy('v8');
      const [backup] = backups();
      expect(ending).toMatchObject({ state: 'failed', code: 'step-failed' });
      expect(ending.message).toContain(`the database ${DATABASE} stays as the migration left it`);
      expect(ending.message).toContain(`the backup ${backup} was made before it`);
      expect(ending.output?.join('\n')).toContain('division by zero');
      expect(live()).toBe(release);
      expect(listed()).toEqual([release]);
      expect(existsSync(join(lab.localDir, backup ?? '-', 'manifest.json'))).toBe(true);
    });
  });

  async function reached(run: LabRun, step: string): Promise<void> {
    for (const end = Date.now() + PATIENCE_MS; Date.now() < end; await sleep(10)) {
      if (run.steps().some((entry) => entry.step === step && entry.phase === 'begin')) return;
    }
    throw new Error(`${step} did not begin`);
  }

  test.each(['check-out', 'test', 'switch', 'prune'])(
    'killed in %s: the recovery ends on the old release or the new one, whole',
    async (step) => {
      const { release } = await deployed('v1');
      const run = begin('v2');
      await reached(run, step);
      await run.kill();
      const ending = await run.recover().ended();
      expect(['succeeded', 'failed']).toContain(ending.state);
      expect(page()).toBe(ending.state === 'succeeded' ? 'two' : 'one');
      expect(listed()).toContain(release);
      expect(listed()).toHaveLength(ending.state === 'succeeded' ? 2 : 1);
    },
  );
});
