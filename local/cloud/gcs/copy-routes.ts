// Objects made from objects: copy, rewrite (always finished in one call) and compose.
import { createReadStream } from 'node:fs';
import { rm } from 'node:fs/promises';
import * as z from 'zod';
import type { Bucket } from './bucket-store.ts';
import { invalid } from './fault.ts';
import { type Exchange, parseInput, readJsonBody, sendJson } from './http-input.ts';
import { MAX_COMPOSE_SOURCES } from './limits.ts';
import {
  assertObjectName,
  ObjectFields,
  ObjectInput,
  type ObjectRecord,
  toObjectResource,
} from './object-schema.ts';
import { contentPath, getObject } from './object-store.ts';
import { assertPreconditions, Preconditions } from './precondition.ts';
import type { Storage } from './storage.ts';
import { stageContent } from './upload-simple.ts';

/** The ends of a copy, as the path names them. */
export interface CopyEnds {
  sourceBucket: string;
  sourceObject: string;
  bucket: string;
  object: string;
}

/** `ifSourceGenerationMatch` and its kin, about the object that is read. */
function sourceConditionsOf(query: Record<string, string>): Preconditions {
  const given = Object.entries(query)
    .filter(([key]) => key.startsWith('ifSource'))
    .map(([key, value]) => [key.replace('ifSource', 'if'), value]);
  return parseInput(Preconditions, Object.fromEntries(given));
}

export async function rewriteObject(exchange: Exchange, storage: Storage, ends: CopyEnds): Promise<void> {
  const { record, resource } = await copy(exchange, storage, ends);
  const size = String(record.sizeBytes);
  sendJson(exchange.response, 200, {
    kind: 'storage#rewriteResponse',
    totalBytesRewritten: size,
    objectSize: size,
    done: true,
    resource,
  });
}

export async function copyObject(exchange: Exchange, storage: Storage, ends: CopyEnds): Promise<void> {
  const { resource } = await copy(exchange, storage, ends);
  sendJson(exchange.response, 200, resource);
}

async function copy(
  exchange: Exchange,
  storage: Storage,
  ends: CopyEnds,
): Promise<{ record: ObjectRecord; resource: object }> {
  const given = await readJsonBody(exchange.request, ObjectInput);
  const from = storage.buckets.get(ends.sourceBucket);
  const bucket = storage.buckets.get(ends.bucket);
  assertObjectName(ends.object);
  const source = getObject(from, ends.sourceObject, exchange.query['sourceGeneration']);
  assertPreconditions(sourceConditionsOf(exchange.query), source, 'write');
  // With metadata in the request that replaces the source's; holds never travel along.
  const { temporaryHold: _temporary, eventBasedHold: _eventBased, ...inherited } = ObjectFields.parse(source);
  const record = await storage.objects.commit({
    bucket,
    name: ends.object,
    fields: Object.keys(given).length > 0 ? ObjectFields.parse(given) : inherited,
    // Content never changes, so both versions may share it.
    content: { path: contentPath(from, source), sizeBytes: source.sizeBytes, checksums: source },
    conditions: parseInput(Preconditions, exchange.query),
    ...(source.componentCount === undefined ? {} : { componentCount: source.componentCount }),
  });
  return { record, resource: toObjectResource(record, bucket.record, exchange.baseUrl) };
}

const ComposeRequest = z.object({
  sourceObjects: z
    .array(
      z.object({
        name: z.string(),
        generation: z.union([z.string(), z.number()]).transform(String).optional(),
        objectPreconditions: z
          .object({ ifGenerationMatch: z.union([z.string(), z.number()]).transform(String).optional() })
          .optional(),
      }),
    )
    .min(1, 'at least one source object is required'),
  destination: ObjectInput.default({}),
});

export async function composeObject(
  exchange: Exchange,
  storage: Storage,
  bucketName: string,
  name: string,
): Promise<void> {
  const { sourceObjects, destination } = await readJsonBody(exchange.request, ComposeRequest);
  const bucket = storage.buckets.get(bucketName);
  assertObjectName(name);
  if (sourceObjects.length > MAX_COMPOSE_SOURCES)
    throw invalid(`The number of source components provided exceeds the maximum (${MAX_COMPOSE_SOURCES}).`);
  const sources = sourceObjects.map((source) => {
    const record = getObject(bucket, source.name, source.generation);
    assertPreconditions(parseInput(Preconditions, source.objectPreconditions ?? {}), record, 'write');
    return record;
  });
  const path = storage.stagingPath();
  try {
    const content = await stageContent(path, contentOf(bucket, sources));
    const record = await storage.objects.commit({
      bucket,
      name,
      fields: ObjectFields.parse(destination),
      // A composite object has no MD5: cloud.google.com/storage/docs/composite-objects
      content: { ...content, checksums: { crc32c: content.checksums.crc32c } },
      conditions: parseInput(Preconditions, exchange.query),
      componentCount: sources.reduce((sum, source) => sum + (source.componentCount ?? 1), 0),
    });
    sendJson(exchange.response, 200, toObjectResource(record, bucket.record, exchange.baseUrl));
  } finally {
    await rm(path, { force: true });
  }
}

async function* contentOf(bucket: Bucket, sources: ObjectRecord[]): AsyncGenerator<Buffer> {
  for (const source of sources) yield* createReadStream(contentPath(bucket, source));
}
