// What goes wrong on the demo platform, on purpose, and how one tells that it is whole again.
import * as z from 'zod';
import type { HostMachine } from '#local/demo/host/host-machine.ts';
import { LamplighterError } from '#shared/errors.ts';
import { psqlOn } from './psql.ts';

type Queried = Pick<HostMachine, 'name' | 'path' | 'port' | 'run'>;

async function query(machine: Queried, sql: string): Promise<string> {
  const argv = [...psqlOn(machine), '-d', 'analytics'];
  const { code, stdout, stderr } = await machine.run(argv, {
    user: 'postgres',
    input: sql,
    timeoutMs: 120_000,
  });
  if (code !== 0)
    throw new LamplighterError('failed', `query analytics on ${machine.name}: ${stderr.trim()}`);
  return stdout.trim();
}

/** Kills app-web so that systemd leaves it down, as after an out-of-memory kill. */
export async function breakWeb(machine: HostMachine): Promise<void> {
  const argv = ['/usr/bin/systemctl', 'kill', '--signal=SIGKILL', 'app-web.service'];
  const { code, stderr } = await machine.run(argv);
  if (code !== 0) throw new LamplighterError('failed', `kill app-web: ${stderr.trim()}`);
}

const QUALIFIED_NAME = z.string().regex(/^[a-z_]+\.[a-z_]+$/);

/** Drops a table with all that depends on it. */
export async function dropTable(machine: HostMachine, table: string): Promise<void> {
  await query(machine, `DROP TABLE ${QUALIFIED_NAME.parse(table)} CASCADE;`);
}

export interface PlatformFingerprint {
  /** By `schema.table`: how many rows, and a checksum over all of them that does not depend on their
   * order; a sum, since with XOR two equal rows would cancel out. */
  tables: Record<string, { rows: number; checksum: string }>;
}

const Row = z.object({ name: z.string(), rows: z.int(), checksum: z.string() });

/** Counts and checksums of every table. */
export async function platformFingerprint(machine: Queried): Promise<PlatformFingerprint> {
  const statements = await query(
    machine,
    `SELECT format('SELECT json_build_object(''name'', %L, ''rows'', count(*), ''checksum'',
        coalesce(sum(hashtextextended(t::text, 0)::numeric), 0)::text) FROM %I.%I AS t;',
        schemaname || '.' || tablename, schemaname, tablename)
      FROM pg_tables WHERE schemaname NOT IN ('pg_catalog', 'information_schema') ORDER BY 1;`,
  );
  const lines = (await query(machine, statements)).split('\n').filter((line) => line !== '');
  const rows = lines.map((line) => Row.parse(JSON.parse(line)));
  return {
    tables: Object.fromEntries(
      rows.map(({ name, rows: count, checksum }) => [name, { rows: count, checksum }]),
    ),
  };
}
