import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { savePartProof } from '#functions/store/backup-parts.ts';
import { closeRound, holdLease, insertBackup } from '#functions/store/backups.ts';
import { claimChecks, lockHeldCheck, releaseCheck } from '#functions/store/checks.ts';
import type { Database } from '#functions/store/database.ts';
import { leaseDelivery, markFailed, markSent, releaseDelivery } from '#functions/store/deliveries.ts';
import { type Lease, newLease } from '#functions/store/lease.ts';
import { abandonRun, claimAbandonedRuns, insertRun, linkRun } from '#functions/store/schedule-runs.ts';
import { CommandId } from '#shared/names.ts';
import { createTestDatabase, type TestDatabase } from '#test/fixtures/postgres.ts';

const NOW = new Date('2026-11-23T10:00:00Z');
const MINUTE_MS = 60_000;
const after = (minutes: number) => new Date(NOW.getTime() + minutes * MINUTE_MS);
const COMMAND = CommandId.parse('0199a1b2-0000-7000-8000-000000000000');

let database: TestDatabase;
beforeAll(async () => {
  database = await createTestDatabase();
});
afterAll(() => database.drop());

/** A kind of row that is worked on under a lease. */
interface Leased {
  kind: string;
  table: string;
  add(db: Database): Promise<void>;
  /** Takes the row; false while somebody else has it. */
  take(db: Database, lease: Lease): Promise<boolean>;
  /** Everything that is written under the lease. */
  writes: Record<string, (db: Database, lease: Lease) => Promise<unknown>>;
}

const DELIVERY = randomUUID();
const RUN = { job: 'backup', scheduledFor: NOW };
const BACKUP = { host: 'web-1', id: '20261123T020000Z-1f3a9c' };
const FINDING = {
  ...BACKUP,
  round: 1,
  proof: 'verified',
  at: NOW,
  faults: [],
  manifestSha256: null,
} as const;
const PART = {
  ...BACKUP,
  part: 'database',
  round: 1,
  manifestSha256: 'x',
  object: 'x',
  generation: null,
  keptUntil: null,
  faults: [],
  at: NOW,
};

const ALL: readonly Leased[] = [
  {
    kind: 'check',
    table: 'check_states',
    add: () => Promise.resolve(),
    take: async (db, lease) => {
      const wanted = { check: 'api', host: 'web-1', dueBefore: lease.now, dueBeforeTroubled: lease.now };
      return (await claimChecks(db, [wanted], lease)).length === 1;
    },
    writes: {
      release: (db, lease) => releaseCheck(db, { check: 'api', previousRunAt: NOW }, lease),
      record: async (db, lease) => expect(await lockHeldCheck(db, 'api', lease)).toBeUndefined(),
    },
  },
  {
    kind: 'delivery',
    table: 'deliveries',
    add: async (db) => {
      const alert = randomUUID();
      await db.query(
        `INSERT INTO alerts (id, condition, kind, host, state, severity, level, title, reason, fired_at)
         VALUES ($1, 'agent-silent', 'heartbeat', 'web-1', 'firing', 'P1', 'CRITICAL', 'x', 'x', $2)`,
        [alert, NOW],
      );
      await db.query(
        `INSERT INTO deliveries (id, alert_id, event, channel, recipient, state, created_at, next_publish_at)
         VALUES ($1, $2, 'firing', 'mail', '', 'pending', $3, $3)`,
        [DELIVERY, alert, NOW],
      );
    },
    take: async (db, lease) => (await leaseDelivery(db, DELIVERY, lease)) !== undefined,
    writes: {
      release: (db, lease) => releaseDelivery(db, DELIVERY, lease, 'x'),
      fail: (db, lease) => markFailed(db, DELIVERY, lease, 'x'),
      send: (db, lease) => markSent(db, DELIVERY, lease, { commandId: COMMAND, receipt: 'x' }),
    },
  },
  {
    kind: 'scheduled run',
    table: 'schedule_runs',
    add: async (db) => {
      await db.query(
        `INSERT INTO schedule_runs (job, scheduled_for, schedule, host, started_at) VALUES ($1, $2, 'x', 'web-1', $2)`,
        [RUN.job, RUN.scheduledFor],
      );
    },
    take: async (db, lease) => (await claimAbandonedRuns(db, lease)).length === 1,
    writes: {
      abandon: (db, lease) => abandonRun(db, RUN, 'missed', lease),
    },
  },
  {
    kind: 'verification',
    table: 'backups',
    add: (db) =>
      insertBackup(db, {
        ...BACKUP,
        database: 'app',
        commandId: null,
        startedAt: NOW,
        finishedAt: NOW,
        bytes: 1,
        tables: 1,
        rows: 1,
        nextPublishAt: NOW,
      }),
    take: (db, lease) => holdLease(db, BACKUP, lease),
    writes: {
      close: (db, lease) => closeRound(db, { ...FINDING, lease }),
      savePart: async (db, lease) => {
        await savePartProof(db, PART, lease);
        expect((await db.query('SELECT FROM backup_part_proofs')).rowCount).toBe(0);
      },
    },
  },
];

describe.each(ALL)('the lease of a $kind', ({ table, add, take, writes }) => {
  const rows = async (): Promise<unknown> =>
    (await database.db.query(`SELECT * FROM ${table} ORDER BY 1`)).rows;

  test('one of several at once gets it, the next when its time is over, and whoever lost it writes nothing', async () => {
    const { db } = database;
    await add(db);
    const leases = Array.from({ length: 4 }, () => newLease(after(1), 5 * MINUTE_MS));
    const taken = await Promise.all(leases.map((lease) => take(db, lease)));
    expect(taken.filter(Boolean)).toHaveLength(1);
    const first = leases[taken.indexOf(true)];
    expect(await take(db, newLease(after(5), MINUTE_MS))).toBe(false);
    expect(await take(db, newLease(after(6), MINUTE_MS))).toBe(true);
    const held = await rows();
    for (const write of Object.values(writes)) await write(db, first!);
    expect(await rows()).toEqual(held);
  });
});

test('a scheduled run keeps its command also when the lease was lost meanwhile', async () => {
  const { db } = database;
  const run = { job: 'nightly', scheduledFor: NOW, schedule: 'x', host: 'web-1' };
  const lost = newLease(NOW, MINUTE_MS);
  expect(await insertRun(db, run, lost)).toBe(true);
  const later = newLease(after(2), MINUTE_MS);
  expect((await claimAbandonedRuns(db, later)).map(({ job }) => job)).toContain('nightly');
  await linkRun(db, run, COMMAND, lost);
  const { rows } = await db.query(`SELECT command_id, lease_holder FROM schedule_runs WHERE job = 'nightly'`);
  expect(rows).toEqual([{ command_id: COMMAND, lease_holder: later.holder }]);
});
