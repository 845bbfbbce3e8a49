// Reads an object of the backup bucket for verification: one generation, completely, or a retryable error.
import type { Readable } from 'node:stream';
import type { Bucket } from '@google-cloud/storage';
import * as z from 'zod';
import { LamplighterError, messageOf } from '#shared/errors.ts';

/** The bucket's metadata of an object (cloud.google.com/storage/docs/json_api/v1/objects#resource). */
const Metadata = z.lazy(() =>
  z.object({
    size: z.coerce.number().int().nonnegative(),
    generation: z.coerce.string(),
    timeCreated: z.coerce.date(),
    /** The end of the bucket's retention of the object. */
    retentionExpirationTime: z.coerce.date().optional(),
  }),
);
export type ObjectMetadata = z.infer<typeof Metadata>;

export interface FoundObject extends ObjectMetadata {
  /** The object's bytes. Throws `unavailable` (retryable) when not all of them could be read. */
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

/** Finds an object; undefined when the bucket has none of this name. Throws `unavailable` when the bucket can't be reached. */
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
  // The hashes are those of the stored bytes, so the client must not decompress them.
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

/** The generations of the objects under a prefix, by name. Throws `unavailable` when the bucket can't be reached. */
export async function listGenerations(bucket: Bucket, prefix: string): Promise<Map<string, string>> {
  try {
    const [files] = await bucket.getFiles({ prefix });
    return new Map(files.map(({ name, metadata }) => [name, String(metadata.generation ?? '')]));
  } catch (cause) {
    throw unavailable(prefix, cause);
  }
}
