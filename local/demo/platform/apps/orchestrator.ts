// app-orchestrator: works through the jobs table, one job at a time, safe beside a second one of its kind.
import { setTimeout as sleep } from 'node:timers/promises';
import { openPool } from './database.ts';

const pool = openPool();
const IDLE_MS = 2000;

async function workOnce(): Promise<boolean> {
  const { rows } = await pool.query<{ id: string; kind: string }>(
    `UPDATE public.jobs SET status = 'processing', started_at = now()
      WHERE id = (SELECT id FROM public.jobs WHERE status = 'queued' ORDER BY id FOR UPDATE SKIP LOCKED LIMIT 1)
      RETURNING id, kind`,
  );
  const job = rows[0];
  if (!job) return false;
  await sleep(200);
  await pool.query(`UPDATE public.jobs SET status = 'done', finished_at = now() WHERE id = $1`, [job.id]);
  console.log(`job ${job.id} (${job.kind}) done`);
  return true;
}

process.on('SIGTERM', () => process.exit(0));
console.log('working through jobs');
for (;;) {
  const hasWorked = await workOnce().catch((error: Error) => {
    console.error(`work on job: ${error.message}`);
    return false;
  });
  if (!hasWorked) await sleep(IDLE_MS);
}
