// The only part of a backup that has the network, under an account that has nothing else. It gets finished files to read,
// and the runner believes it in one thing alone: that they were uploaded.
import { writeSync } from 'node:fs';
import { Transform } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { LamplighterError, messageOf } from '#shared/errors.ts';
import { createObjectMeter, type ObjectMeter } from '#shared/kit/meter.ts';
import { parseOptions } from '#shared/options.ts';
import { openObjectStore } from '../cloud/storage.ts';
import { EXIT_NOT_FOUND, FIRST_FILE_FD, FileToUpload, RESULT_FD, type StreamResult } from './protocol.ts';

const USAGE = 'usage: backup-stream upload --bucket NAME --file JSON… | fetch --bucket NAME --object NAME';
const OPTIONS = {
  allowPositionals: true,
  options: {
    bucket: { type: 'string' },
    object: { type: 'string' },
    file: { type: 'string', multiple: true },
  },
} as const;

type Values = ReturnType<typeof parseOptions<typeof OPTIONS>>['values'];

function need(values: Values, name: 'bucket' | 'object'): string {
  const value = values[name];
  if (value === undefined || value === '') throw new Error(`--${name} is missing`);
  return value;
}

/** A pass-through that meters its bytes. */
function measured(meter: ObjectMeter): Transform {
  return new Transform({
    transform: (chunk: Buffer, _encoding, done) => {
      meter.update(chunk);
      done(null, chunk);
    },
  });
}

/**
 * Uploads files in their order, and none after one that failed. Root has opened each for reading only, and knows their sizes
 * and checksums by itself.
 */
async function upload(values: Values): Promise<StreamResult | undefined> {
  const store = openObjectStore(need(values, 'bucket'), process.env.STORAGE_API_ENDPOINT);
  const files = (values.file ?? []).map((text) => FileToUpload.parse(JSON.parse(text)));
  for (const [i, file] of files.entries()) await store.upload({ ...file, fd: FIRST_FILE_FD + i });
  return undefined;
}

async function fetchObject(values: Values): Promise<StreamResult> {
  const meter = await createObjectMeter();
  const store = openObjectStore(need(values, 'bucket'), process.env.STORAGE_API_ENDPOINT);
  const source = store.read(need(values, 'object'));
  await pipeline(source, measured(meter), process.stdout);
  return meter.result();
}

const MODES: Record<string, (values: Values) => Promise<StreamResult | undefined>> = {
  upload,
  fetch: fetchObject,
};

try {
  const { positionals, values } = parseOptions(OPTIONS, USAGE);
  const run = MODES[positionals[0] ?? ''];
  if (!run) throw new Error(USAGE);
  const result = await run(values);
  if (result) writeSync(RESULT_FD, `${JSON.stringify(result)}\n`);
  process.exit(0);
} catch (error) {
  console.error(messageOf(error));
  process.exit(error instanceof LamplighterError && error.code === 'not-found' ? EXIT_NOT_FOUND : 1);
}
