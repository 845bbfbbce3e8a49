// Backup and restore, beside the commands of a Markdown runbook: pg_dump | gzip to a file, and gunzip | psql into a new
// database. Ours also uploads, hashes, counts every row, encrypts roles and configuration, and signs.
import * as z from 'zod';
import type { Stack } from '#local/stack/stack.ts';
import { type Row, spreadOf } from './report.ts';
import { onStack, timeMs } from './stack.ts';

const PLAIN = '/tmp/bench.sql.gz';

// The shell script is the runbook's, on the demo's host: our figures stand beside its figures.
async function shell(stack: Stack, line: string): Promise<void> {
  const { code, stderr } = await stack.machine.run(
    ['/usr/bin/env', '--chdir=/', '/bin/bash', '-o', 'pipefail', '-c', line],
    {
      user: 'postgres',
    },
  );
  if (code !== 0) throw new Error(`${line}: ${stderr}`);
}

async function run(stack: Stack, operation: string, params: Record<string, unknown>): Promise<unknown> {
  const command = await stack.client.runCommand({ operation, params });
  if (command.state !== 'succeeded') throw new Error(`${operation}: ${command.message}`);
  return command.result;
}

async function plainMegabytes(stack: Stack): Promise<number> {
  const { stdout } = await stack.machine.run(
    ['/bin/bash', '-c', `/bin/gunzip -c ${PLAIN} | /usr/bin/wc -c`],
    { user: 'postgres' },
  );
  return Number(stdout.trim()) / 1e6;
}

/** The rows of `npm run bench -- backup`. */
export function benchBackup(isQuick: boolean): Promise<Row[]> {
  return onStack(async (stack) => {
    const samples = {
      backup: [] as number[],
      dump: [] as number[],
      restore: [] as number[],
      load: [] as number[],
    };
    let backupId = '';
    for (let i = 0; i < (isQuick ? 2 : 5); i++) {
      samples.backup.push(
        await timeMs(async () => {
          backupId = z.object({ backupId: z.string() }).parse(await run(stack, 'backup.run', {})).backupId;
        }),
      );
      samples.dump.push(await timeMs(() => shell(stack, `pg_dump analytics | gzip > ${PLAIN}`)));
    }
    const megabytes = await plainMegabytes(stack);
    for (let i = 0; i < (isQuick ? 1 : 3); i++) {
      samples.restore.push(
        await timeMs(() => run(stack, 'restore.run', { backup: backupId, confirm: 'analytics' })),
      );
      await shell(stack, 'dropdb --if-exists bench_load; createdb -T template0 bench_load');
      samples.load.push(
        await timeMs(() => shell(stack, `gunzip -c ${PLAIN} | psql -q -d bench_load > /dev/null`)),
      );
    }
    const speed = (times: readonly number[]) => spreadOf(times.map((ms) => megabytes / (ms / 1000)));
    return [
      {
        measure: 'backup',
        unit: 'MB/s',
        ours: speed(samples.backup),
        beside: speed(samples.dump),
        besideName: 'pg_dump | gzip, not uploaded',
        goal: 15,
      },
      {
        measure: 'restore until healthy',
        unit: 'MB/s',
        ours: speed(samples.restore),
        beside: speed(samples.load),
        besideName: 'gunzip | psql, services not touched',
        goal: 5,
      },
    ];
  });
}
