// app-intake: watches a folder and turns each JSON file in it into a row and a job.
import { mkdir, readdir, readFile, rename } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { openPool } from './database.ts';

const INCOMING = join(process.cwd(), 'incoming');
const DONE = join(INCOMING, 'done');
const REFUSED = join(INCOMING, 'refused');
const POLL_MS = 1000;
const pool = openPool();

function isJson(text: string): boolean {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}

async function takeIn(name: string): Promise<void> {
  const text = await readFile(join(INCOMING, name), 'utf8');
  if (!isJson(text)) {
    await rename(join(INCOMING, name), join(REFUSED, name));
    console.error(`refused ${name}: not JSON`);
    return;
  }
  await pool.query(
    `WITH file AS (INSERT INTO ingest.files (name, body) VALUES ($1, $2::jsonb) ON CONFLICT (name) DO NOTHING RETURNING id)
     INSERT INTO public.jobs (kind, payload) SELECT 'import', jsonb_build_object('file', id) FROM file`,
    [name, text],
  );
  await rename(join(INCOMING, name), join(DONE, name));
  console.log(`took in ${name}`);
}

process.on('SIGTERM', () => process.exit(0));
for (const dir of [DONE, REFUSED]) await mkdir(dir, { recursive: true });
console.log(`watching ${INCOMING}`);
for (;;) {
  const names = (await readdir(INCOMING)).filter((name) => name.endsWith('.json'));
  for (const name of names) {
    await takeIn(name).catch((error: Error) => console.error(`take in ${name}: ${error.message}`));
  }
  await sleep(POLL_MS);
}
