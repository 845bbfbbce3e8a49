import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import * as z from 'zod';
import { appendAudit, findIntactAudit, listAudit, verifyAuditChain } from '#functions/store/audit.ts';
import { AuditView } from '#shared/api/views.ts';
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

  /** A change that the owner of the database could make: the chain must show it. */
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

  test('stores what was cut of a large detail, and its hash covers that', async () => {
    const large = { ...entry(6), detail: { reason: 'x'.repeat(100_000), digest: 'd1' } };
    await database.db.transaction((tx) => appendAudit(tx, large));
    const stored = await findIntactAudit(database.db, large.action, large.target);
    expect(stored?.detail).toEqual({
      reason: expect.stringMatching(/^x{512}… \(cut: 100000 bytes\)$/),
      digest: 'd1',
      detailCut: 'the detail had 100027 bytes',
    });
    expect(await verifyAuditChain(database.db)).toEqual({ intact: true, entries: 6 });
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

  const unreadable: [string, string][] = [
    ['the time infinity', "'infinity', '{}'"],
    ['a time before all time', "'-infinity', '{}'"],
    ['the year 294276', "'294276-01-01T00:00Z', '{}'"],
    ['the year 12026', "'12026-01-01T00:00Z', '{}'"],
    ['a time before Christ', "'0044-03-15T00:00Z BC', '{}'"],
    ['a detail that is null', "now(), 'null'"],
    ['a detail that is a list', "now(), '[1]'"],
    ['a detail that is a text', 'now(), \'"x"\''],
  ];
  const insert = (values: string) =>
    `INSERT INTO audit (seq, at, detail, actor, action, target, prev_hash, hash)
     SELECT 6, ${values}, 'token:eve', 'odd', 't6', hash, '\\x00' FROM audit WHERE seq = 5`;

  test.each([...unreadable, ['a NUL in its detail', `now(), '{"reportId":"\\u0000"}'`]])(
    'takes no entry with %s',
    async (_name, values) => {
      await expect(database.db.query(insert(values))).rejects.toThrow(
        /audit_time|audit_detail|Unicode escape/,
      );
    },
  );

  test.each(unreadable)('tells an entry with %s, and shows it among the others', async (_name, values) => {
    await withTriggersOff(
      ...['audit_time_is_sane', 'audit_detail_is_object'].map(
        (name) => `ALTER TABLE audit DROP CONSTRAINT IF EXISTS ${name}`,
      ),
      insert(values),
    );
    expect(await verifyAuditChain(database.db)).toEqual({ intact: false, seq: 6, fault: "it can't be read" });
    const shown = await listAudit(database.db, { limit: 2 });
    expect(z.array(AuditView).parse(shown)).toMatchObject([
      { seq: 6, at: null, actor: 'token:eve', action: 'odd', detail: { fault: "it can't be read" } },
      { seq: 5, detail: entry(5).detail },
    ]);
    expect(await findIntactAudit(database.db, 'odd', 't6')).toBeUndefined();
  });

  test('stays one chain when many write at once', async () => {
    await Promise.all(Array.from({ length: 30 }, (_, i) => append(10 + i)));
    expect(await verifyAuditChain(database.db)).toEqual({ intact: true, entries: 35 });
  });
});
