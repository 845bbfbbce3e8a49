import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { decodeArchive } from '#shared/backup/archive/decode.ts';
import { LamplighterError } from '#shared/errors.ts';
import { AWKWARD_ROWS, createAwkwardDatabase } from '#test/fixtures/awkward-database.ts';
import { type SocketCluster, startSocketCluster } from '#test/fixtures/socket-cluster.ts';

let cluster: SocketCluster;
let dump: Buffer;

beforeAll(async () => {
  cluster = await startSocketCluster();
  await createAwkwardDatabase(cluster, 'awkward');
  dump = await cluster.run('pg_dump', ['-Fc', '-Z0', 'awkward']);
});
afterAll(async () => {
  await cluster?.close();
});

async function* inPieces(bytes: Buffer, size: number): AsyncGenerator<Buffer> {
  for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size);
}

async function judge(bytes: Buffer): Promise<'decoded' | 'corrupt'> {
  try {
    await decodeArchive(inPieces(bytes, 65_536));
    return 'decoded';
  } catch (error) {
    if (error instanceof LamplighterError && error.code === 'corrupt') return 'corrupt';
    throw error;
  }
}

test.each(['0', '1', '9'])('counts every row of awkward tables at compression level %s', async (level) => {
  const bytes = await cluster.run('pg_dump', ['-Fc', `-Z${level}`, 'awkward']);
  const { tables, largeObjects } = await decodeArchive(inPieces(bytes, 10_007));
  const rows = tables.map(({ schema, table, rows: count }) => [JSON.stringify([schema, table]), count]);
  expect(Object.fromEntries(rows)).toEqual(AWKWARD_ROWS);
  expect(largeObjects).toBe(3);
});

test('accepts a dump that knows where its blocks are, and refuses it when they are elsewhere', async () => {
  // Written to a file, pg_dump goes back and fills the offsets in.
  const dir = mkdtempSync(join(tmpdir(), 'lamplighter-dump-'));
  try {
    const file = join(dir, 'awkward.dump');
    await cluster.run('pg_dump', ['-Fc', '-Z0', '-f', file, 'awkward']);
    const bytes = readFileSync(file);
    expect(await judge(bytes)).toBe('decoded');
    // One byte more in the name of the database moves everything behind it.
    const at = bytes.indexOf('awkward');
    const moved = Buffer.concat([bytes.subarray(0, at), Buffer.from('x'), bytes.subarray(at)]);
    moved.writeUInt32LE(8, at - 4);
    expect(await judge(moved)).toBe('corrupt');
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
});

test('refuses the dump cut at any sampled place, and bytes after its end', async () => {
  const accepted: number[] = [];
  for (let i = 0; i < 150; i++) {
    const length = Math.floor((dump.length * i) / 150);
    if ((await judge(dump.subarray(0, length))) === 'decoded') accepted.push(length);
  }
  for (const less of [1, 2, 5, 6, 10, 11]) {
    if ((await judge(dump.subarray(0, dump.length - less))) === 'decoded') accepted.push(-less);
  }
  expect(accepted).toEqual([]);
  expect(await judge(Buffer.concat([dump, Buffer.from([0])]))).toBe('corrupt');
});
