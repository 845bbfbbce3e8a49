import { spawn } from 'node:child_process';
import { once } from 'node:events';
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import pg from 'pg';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { startCluster } from '#local/demo/postgres/cluster.ts';

let root: string;
let dataDir: string;
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'lamplighter-cluster-'));
  chmodSync(root, 0o755);
  dataDir = join(root, 'postgres');
});
afterEach(() => rmSync(root, { recursive: true, force: true }));

async function query(url: string, sql: string): Promise<unknown[]> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  try {
    return (await client.query(sql)).rows;
  } finally {
    await client.end();
  }
}

function serverPid(): number {
  return Number(readFileSync(join(dataDir, 'data', 'postmaster.pid'), 'utf8').split('\n')[0]);
}

function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}

test('data is kept over a stop and a start, and after a stop no process is left', async () => {
  const first = await startCluster({ dataDir, fsync: true });
  const url = await first.ensureDatabase('kept');
  await query(url, 'CREATE TABLE t AS SELECT 42 AS n');
  const pid = serverPid();
  await first.close();
  expect(isRunning(pid)).toBe(false);
  const second = await startCluster({ dataDir, fsync: true });
  try {
    expect(await query(await second.ensureDatabase('kept'), 'SELECT n FROM t')).toEqual([{ n: 42 }]);
  } finally {
    await second.close();
  }
});

test('nobody gets in without the password, and it is not for others to read', async () => {
  const cluster = await startCluster({ dataDir, fsync: false });
  try {
    const url = new URL(cluster.url('postgres'));
    expect(url.hostname).toBe('127.0.0.1');
    url.password = 'guessed';
    await expect(query(url.href, 'SELECT 1')).rejects.toThrow('password authentication failed');
    expect(statSync(dataDir).mode & 0o077).toBe(0);
    const commandLine = readFileSync(`/proc/${serverPid()}/cmdline`, 'utf8');
    expect(commandLine).not.toContain(new URL(cluster.url('postgres')).password);
  } finally {
    await cluster.close();
  }
});

test('an owner that is killed leaves data that the next start takes over', async () => {
  const owner = spawn(
    process.execPath,
    [join(import.meta.dirname, '../../../../fixtures/cluster-owner.ts'), dataDir],
    {
      stdio: ['ignore', 'pipe', 'inherit'],
    },
  );
  const [line] = (await once(owner.stdout, 'data')) as [Buffer];
  await query(line.toString().trim(), 'CREATE TABLE t AS SELECT 7 AS n');
  owner.kill('SIGKILL');
  const next = await startCluster({ dataDir, fsync: true });
  try {
    expect(await query(await next.ensureDatabase('kept'), 'SELECT n FROM t')).toEqual([{ n: 7 }]);
  } finally {
    await next.close();
  }
});

test('a server that was killed leaves a lock file that does not stop the next', async () => {
  const first = await startCluster({ dataDir, fsync: true });
  process.kill(serverPid(), 'SIGKILL');
  await first.close();
  expect(existsSync(join(dataDir, 'data', 'postmaster.pid'))).toBe(true);
  const second = await startCluster({ dataDir, fsync: true });
  await second.close();
});

test('a lock file with the number of another process does not stop that process', async () => {
  await (await startCluster({ dataDir, fsync: true })).close();
  const bystander = spawn('/bin/sleep', ['60'], { stdio: 'ignore' });
  try {
    writeFileSync(join(dataDir, 'data', 'postmaster.pid'), `${bystander.pid}\n${join(dataDir, 'data')}\n`);
    await (await startCluster({ dataDir, fsync: true })).close();
    expect(isRunning(bystander.pid!)).toBe(true);
  } finally {
    bystander.kill();
  }
});

test.runIf(process.getuid?.() === 0)(
  'a directory that the server can’t enter is told, with what to do (needs root)',
  async () => {
    const closed = join(root, 'closed');
    mkdirSync(closed, { mode: 0o700 });
    await expect(startCluster({ dataDir: join(closed, 'postgres'), fsync: true })).rejects.toMatchObject({
      code: 'not-allowed',
      hint: expect.stringContaining(`chmod o+x ${closed}`),
    });
  },
);
