// An object as stored, as a client may write it, and as the API shows it.
import * as z from 'zod';
import type { BucketRecord } from './bucket-schema.ts';
import { etagOf } from './etag.ts';
import { invalid } from './fault.ts';
import { MAX_CUSTOM_METADATA_BYTES, MAX_OBJECT_NAME_BYTES } from './limits.ts';
import { retentionExpiryMs } from './retention.ts';

const metadataValue = z.union([z.string(), z.number(), z.boolean()]).transform(String);
const text = z.string().max(1_024);
// Control characters would break the headers of a download.
const headerText = text.regex(/^[\x20-\x7e\x80-\uffff]*$/, 'must hold no control characters');

const writable = {
  contentType: headerText,
  contentEncoding: headerText,
  contentDisposition: headerText,
  contentLanguage: headerText,
  cacheControl: headerText,
  customTime: z.iso.datetime({ offset: true }),
  storageClass: text,
  temporaryHold: z.boolean(),
  eventBasedHold: z.boolean(),
  metadata: z.record(z.string(), metadataValue),
};

/** The metadata that comes with an upload; what a client may not set is ignored, as Google does. */
export const ObjectInput = z
  .object({ ...writable, name: z.string(), crc32c: z.string(), md5Hash: z.string() })
  .partial();
export type ObjectInput = z.infer<typeof ObjectInput>;

/** A patch: null removes a field, or a key of the custom metadata. */
export const ObjectPatch = z
  .object({
    contentType: writable.contentType.nullable(),
    contentEncoding: writable.contentEncoding.nullable(),
    contentDisposition: writable.contentDisposition.nullable(),
    contentLanguage: writable.contentLanguage.nullable(),
    cacheControl: writable.cacheControl.nullable(),
    customTime: writable.customTime.nullable(),
    temporaryHold: z.boolean().nullable(),
    eventBasedHold: z.boolean().nullable(),
    metadata: z.record(z.string(), metadataValue.nullable()).nullable(),
  })
  .partial();
export type ObjectPatch = z.infer<typeof ObjectPatch>;

export const ObjectFields = z.object(writable).partial();
export type ObjectFields = z.infer<typeof ObjectFields>;

export const ObjectRecord = ObjectFields.extend({
  bucket: z.string(),
  name: z.string(),
  generation: z.string(),
  metageneration: z.string(),
  sizeBytes: z.number(),
  crc32c: z.string(),
  md5Hash: z.string().optional(),
  componentCount: z.number().optional(),
  timeCreated: z.string(),
  updated: z.string(),
  /** When an event-based hold was released: from here on the retention period counts. */
  retentionStart: z.string().optional(),
  /** The file with the bytes. */
  content: z.string(),
  /** The resumable upload that made this version: how its session learns after a kill that it is done. */
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

export function assertCustomMetadata(metadata: Record<string, string> | undefined): void {
  const size = Object.entries(metadata ?? {})
    .flat()
    .reduce((sum, part) => sum + Buffer.byteLength(part), 0);
  if (size > MAX_CUSTOM_METADATA_BYTES)
    throw invalid(`Custom metadata of ${size} bytes exceeds ${MAX_CUSTOM_METADATA_BYTES} bytes.`);
}

export function etagOfObject(record: ObjectRecord): string {
  return etagOf(record.generation, record.metageneration);
}

export function toObjectResource(record: ObjectRecord, bucket: BucketRecord, baseUrl: string): object {
  const { content: _content, uploadId: _uploadId, retentionStart: _start, sizeBytes, ...shown } = record;
  const path = `b/${record.bucket}/o/${encodeURIComponent(record.name)}`;
  const expiryMs = retentionExpiryMs(bucket, record);
  return {
    kind: 'storage#object',
    id: `${record.bucket}/${record.name}/${record.generation}`,
    selfLink: `${baseUrl}/storage/v1/${path}`,
    mediaLink: `${baseUrl}/download/storage/v1/${path}?generation=${record.generation}&alt=media`,
    ...shown,
    size: String(sizeBytes),
    etag: etagOfObject(record),
    timeFinalized: record.timeCreated,
    timeStorageClassUpdated: record.timeCreated,
    ...(expiryMs === undefined ? {} : { retentionExpirationTime: new Date(expiryMs).toISOString() }),
  };
}
