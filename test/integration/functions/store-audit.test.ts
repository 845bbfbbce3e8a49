import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { appendAudit, listAudit, verifyAuditChain } from '#functions/store/audit.ts';
import { createTestDatabase, type TestDatabase } from '#test/fixtures/postgres.ts';

let database: TestDatabase;
beforeAll(async () => {
  database = await createTestDatabase();
});
afterAll(() => database.drop());

const entry = (n: number) => ({
  at: new Date(Date.UTC(2026, 10, 23, 10, 0, n)),
  actor: 'token:a',
  action: n % 2 ? 'odd' : 'even',
  target: `t${n}`,
  detail: { n, ünïcode: '“—”', nested: { z: 1, a: [1.5, null] } },
});

function append(n: number): Promise<void> {
  return database.db.transaction((tx) => appendAudit(tx, entry(n)));
}

describe('the trail', () => {
  beforeEach(async () => {
    await withTriggersOff('TRUNCATE audit');
    for (let n = 1; n <= 5; n++) await append(n);
  });

  /** What somebody could do who owns the database: the chain must tell. */
  async function withTriggersOff(...statements: string[]): Promise<void> {
    await database.db.transaction(async (tx) => {
      await tx.query('ALTER TABLE audit DISABLE TRIGGER USER');
      for (const statement of statements) await tx.query(statement);
      await tx.query('ALTER TABLE audit ENABLE TRIGGER USER');
    });
  }

  test('is intact as it was written, newest first', async () => {
    expect(await verifyAuditChain(database.db)).toEqual({ intact: true, entries: 5 });
    const odd = await listAudit(database.db, { action: 'odd', limit: 2 });
    expect(odd.map(({ seq }) => seq)).toEqual([5, 3]);
    expect(odd[0]?.detail).toEqual(entry(5).detail);
  });

  test.each(['UPDATE audit SET actor = $$x$$', 'DELETE FROM audit WHERE seq = 5', 'TRUNCATE audit'])(
    'forbids %s',
    async (statement) => {
      await expect(database.db.query(statement)).rejects.toThrow('append-only');
    },
  );

  const tampering: [string, string[], number][] = [
    ['a changed actor', ["UPDATE audit SET actor = 'token:b' WHERE seq = 2"], 2],
    ['a changed time', ["UPDATE audit SET at = at + interval '1 second' WHERE seq = 2"], 2],
    ['a changed detail', [`UPDATE audit SET detail = '{"n":2}' WHERE seq = 2`], 2],
    [
      'a detail written otherwise',
      ["UPDATE audit SET detail = (detail::text || ' ')::json WHERE seq = 3"],
      3,
    ],
    ['a removed entry', ['DELETE FROM audit WHERE seq = 3'], 3],
    [
      'a removed entry with the rest moved up',
      ['DELETE FROM audit WHERE seq = 3', 'UPDATE audit SET seq = seq - 1 WHERE seq > 3'],
      3,
    ],
    ['a first entry removed', ['DELETE FROM audit WHERE seq = 1'], 1],
    ['a hash made up', ["UPDATE audit SET hash = '\\x00' WHERE seq = 4"], 4],
  ];
  test.each(tampering)('tells %s', async (_name, statements, seq) => {
    await withTriggersOff(...statements);
    expect(await verifyAuditChain(database.db)).toMatchObject({ intact: false, seq });
  });

  test('stays one chain when many write at once', async () => {
    await Promise.all(Array.from({ length: 30 }, (_, i) => append(10 + i)));
    expect(await verifyAuditChain(database.db)).toEqual({ intact: true, entries: 35 });
  });
});
