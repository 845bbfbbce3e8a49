// An object as stored, as a client may write it, and as the API shows it.
import * as z from 'zod';
import type { BucketRecord } from './bucket-schema.ts';
import { invalid } from './fault.ts';
import { MAX_OBJECT_NAME_BYTES } from './limits.ts';
import { retentionExpiryMs } from './retention.ts';

const writable = {
  // Control characters would break the headers of a download.
  contentType: z
    .string()
    .max(1_024)
    .regex(/^[\x20-\x7e]*$/, 'must hold printable ASCII only'),
};

/** The metadata that comes with an upload; fields that a client cannot set are ignored, as Google does. */
export const ObjectInput = z.object({ ...writable, name: z.string() }).partial();

export const ObjectFields = z.object(writable).partial();
export type ObjectFields = z.infer<typeof ObjectFields>;

/** Generation 0 is "no object of this name": cloud.google.com/storage/docs/request-preconditions */
export const Precondition = z.object({
  ifGenerationMatch: z
    .string()
    .regex(/^\d{1,19}$/, 'must be a whole number')
    .optional(),
});

export const ObjectRecord = ObjectFields.extend({
  bucket: z.string(),
  name: z.string(),
  generation: z.string(),
  sizeBytes: z.number(),
  crc32c: z.string(),
  md5Hash: z.string(),
  timeCreated: z.string(),
  /** The file with the bytes. */
  content: z.string(),
  /** The resumable upload that made this version: after a kill its session sees by this that it is done. */
  uploadId: z.string().optional(),
});
export type ObjectRecord = z.infer<typeof ObjectRecord>;

/** cloud.google.com/storage/docs/objects#naming */
export function assertObjectName(name: string): void {
  const size = Buffer.byteLength(name);
  const isForbidden = name === '.' || name === '..' || name.startsWith('.well-known/acme-challenge/');
  if (size === 0) throw invalid('Required parameter: name');
  if (size > MAX_OBJECT_NAME_BYTES || isForbidden || /[\r\n]/.test(name) || !name.isWellFormed())
    throw invalid(`Invalid object name: ${JSON.stringify(name.slice(0, 64))}`);
}

export function toObjectResource(record: ObjectRecord, bucket: BucketRecord, baseUrl: string): object {
  const { content: _content, uploadId: _uploadId, sizeBytes, ...shown } = record;
  const path = `b/${record.bucket}/o/${encodeURIComponent(record.name)}`;
  const expiryMs = retentionExpiryMs(bucket, record);
  return {
    kind: 'storage#object',
    id: `${record.bucket}/${record.name}/${record.generation}`,
    selfLink: `${baseUrl}/storage/v1/${path}`,
    storageClass: 'STANDARD',
    metageneration: '1',
    ...shown,
    size: String(sizeBytes),
    updated: record.timeCreated,
    timeFinalized: record.timeCreated,
    timeStorageClassUpdated: record.timeCreated,
    ...(expiryMs === undefined ? {} : { retentionExpirationTime: new Date(expiryMs).toISOString() }),
  };
}
