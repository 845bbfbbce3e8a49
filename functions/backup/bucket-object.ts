// An object of the backup bucket as verification reads it: one generation of it, whole, or a reason to try again.
import type { Readable } from 'node:stream';
import type { Bucket } from '@google-cloud/storage';
import * as z from 'zod';
import { LamplighterError, messageOf } from '#shared/errors.ts';

/** What the bucket says of an object (cloud.google.com/storage/docs/json_api/v1/objects#resource). */
const Metadata = z.lazy(() =>
  z.object({
    size: z.coerce.number().int().nonnegative(),
    generation: z.coerce.string(),
    timeCreated: z.coerce.date(),
    /** Until when the bucket's retention policy keeps it. */
    retentionExpirationTime: z.coerce.date().optional(),
  }),
);
export type ObjectMetadata = z.infer<typeof Metadata>;

export interface FoundObject extends ObjectMetadata {
  /** Its bytes. Throws `unavailable` (retryable) when they could not all be read. */
  read(): AsyncGenerator<Buffer>;
}

function isStatus(error: unknown, status: number): boolean {
  return typeof error === 'object' && error !== null && 'code' in error && error.code === status;
}

function unavailable(object: string, cause: unknown): LamplighterError {
  return new LamplighterError('unavailable', `read ${object}: ${messageOf(cause)}`, {
    retryable: true,
    cause,
  });
}

/** Finds an object; undefined when the bucket has none of this name. Throws `unavailable` when the bucket could not be asked. */
export async function findObject(bucket: Bucket, object: string): Promise<FoundObject | undefined> {
  try {
    const [answer] = await bucket.file(object).getMetadata();
    const metadata = Metadata.parse(answer);
    return { ...metadata, read: () => readObject(bucket, object, metadata) };
  } catch (cause) {
    if (isStatus(cause, 404)) return undefined;
    throw unavailable(object, cause);
  }
}

async function* readObject(
  bucket: Bucket,
  object: string,
  { size, generation }: ObjectMetadata,
): AsyncGenerator<Buffer> {
  if (size === 0) return;
  // Hashes are taken of what was stored, so nothing may be unpacked on the way.
  const options = { validation: false, decompress: false };
  const stream: Readable = bucket.file(object, { generation }).createReadStream(options);
  let bytes = 0;
  try {
    for await (const chunk of stream) {
      const piece: Buffer = chunk;
      bytes += piece.length;
      yield piece;
    }
  } catch (cause) {
    throw unavailable(object, cause);
  } finally {
    stream.destroy();
  }
  // A connection that ended early is the network's fault, not the backup's.
  if (bytes !== size) throw unavailable(object, `${bytes} of ${size} bytes came`);
}

/** The generations of the objects under a prefix, by name. Throws `unavailable` when the bucket could not be asked. */
export async function listGenerations(bucket: Bucket, prefix: string): Promise<Map<string, string>> {
  try {
    const [files] = await bucket.getFiles({ prefix });
    return new Map(files.map(({ name, metadata }) => [name, String(metadata.generation ?? '')]));
  } catch (cause) {
    throw unavailable(prefix, cause);
  }
}
