// Listing: prefix, delimiter and pages, in the order of the names' UTF-8 bytes.
import { z } from 'zod';
import type { Bucket } from './bucket-store.ts';
import { type Exchange, parseInput, sendJson } from './http-input.ts';
import { MAX_PAGE_RESULTS } from './limits.ts';
import { type ObjectRecord, toObjectResource } from './object-schema.ts';
import type { Storage } from './storage.ts';

const ListQuery = z.object({
  prefix: z.string().default(''),
  delimiter: z.string().default(''),
  startOffset: z.string().default(''),
  endOffset: z.string().optional(),
  pageToken: z
    .string()
    .regex(/^[A-Za-z0-9_-]*$/)
    .default(''),
  maxResults: z.coerce.number().int().min(1).default(MAX_PAGE_RESULTS),
});
type ListQuery = z.infer<typeof ListQuery>;

/** The names in Google's order; sorted again only after one came or went. */
function orderedNames(bucket: Bucket): string[] {
  bucket.order ??= [...bucket.objects.keys()].toSorted((a, b) =>
    Buffer.compare(Buffer.from(a), Buffer.from(b)),
  );
  return bucket.order;
}

function isBefore(a: string, b: string): boolean {
  return Buffer.compare(Buffer.from(a), Buffer.from(b)) < 0;
}

interface Page {
  records: ObjectRecord[];
  prefixes: string[];
  /** Where the next page begins: after this name, or after all names with this prefix. */
  next?: string;
}

/** The folded prefix of a name, or undefined when it stands for itself. */
function prefixOf(name: string, { prefix, delimiter }: ListQuery): string | undefined {
  if (delimiter === '') return undefined;
  const at = name.indexOf(delimiter, prefix.length);
  return at < 0 ? undefined : name.slice(0, at + delimiter.length);
}

function isWanted(name: string, query: ListQuery, after: string): boolean {
  if (!name.startsWith(query.prefix) || isBefore(name, query.startOffset)) return false;
  if (query.endOffset !== undefined && !isBefore(name, query.endOffset)) return false;
  if (after === '') return true;
  return (
    isBefore(after, name) &&
    !(query.delimiter !== '' && after.endsWith(query.delimiter) && name.startsWith(after))
  );
}

function readPage(bucket: Bucket, query: ListQuery): Page {
  const after = Buffer.from(query.pageToken, 'base64url').toString('utf8');
  const limit = Math.min(query.maxResults, MAX_PAGE_RESULTS);
  const page: Page = { records: [], prefixes: [] };
  let last = '';
  for (const name of orderedNames(bucket)) {
    if (!isWanted(name, query, after)) continue;
    const prefix = prefixOf(name, query);
    if (prefix !== undefined && prefix === page.prefixes.at(-1)) continue;
    if (page.records.length + page.prefixes.length >= limit) return { ...page, next: last };
    const record = bucket.objects.get(name);
    if (prefix !== undefined) page.prefixes.push(prefix);
    else if (record) page.records.push(record);
    last = prefix ?? name;
  }
  return page;
}

export function listObjects(exchange: Exchange, storage: Storage, bucketName: string): void {
  const bucket = storage.buckets.get(bucketName);
  const { records, prefixes, next } = readPage(bucket, parseInput(ListQuery, exchange.query));
  sendJson(exchange.response, 200, {
    kind: 'storage#objects',
    items: records.map((record) => toObjectResource(record, bucket.record, exchange.baseUrl)),
    ...(prefixes.length > 0 ? { prefixes } : {}),
    ...(next === undefined ? {} : { nextPageToken: Buffer.from(next).toString('base64url') }),
  });
}
