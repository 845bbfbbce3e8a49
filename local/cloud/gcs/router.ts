// Decides which request does what. Requests that Lamplighter's clients never make are answered 501, so that no client
// takes an ignored request for a completed one.
import { assertBucketName, BucketInput, toBucketResource } from './bucket-schema.ts';
import { StorageFault, unsupported } from './fault.ts';
import { type Exchange, readJsonBody, sendJson } from './http-input.ts';
import { deleteObject, downloadObject, listObjects, showObject } from './object-routes.ts';
import { uploadMultipart } from './upload-multipart.ts';
import { continueResumable, startResumable } from './upload-resumable.ts';

type Answer = Promise<void> | void;

/** A path segment decoded; 400 when it is not percent-encoded UTF-8. */
function decode(part: string): string {
  try {
    return decodeURIComponent(part);
  } catch {
    throw new StorageFault(400, 'The URL is not percent-encoded UTF-8.');
  }
}

const OBJECT_PATH = /^\/storage\/v1\/b\/([^/]+)\/o\/([^/]+)$/;
const OBJECTS_PATH = /^\/storage\/v1\/b\/([^/]+)\/o$/;
const BUCKET_PATH = /^\/storage\/v1\/b\/([^/]+)$/;
const BUCKETS_PATH = /^\/storage\/v1\/b$/;
const UPLOAD_PATH = /^\/upload\/storage\/v1\/b\/([^/]+)\/o$/;

const ENCRYPTION_HEADER = /^x-goog-(?:copy-source-)?encryption-/;
/** Parameters that change the answer in production and are not understood here. */
const UNSUPPORTED_QUERY = [
  'delimiter',
  'startOffset',
  'endOffset',
  'matchGlob',
  'versions',
  'ifGenerationNotMatch',
  'ifMetagenerationMatch',
  'ifMetagenerationNotMatch',
];

function assertSupported({ request, query }: Exchange): void {
  if (Object.keys(request.headers).some((name) => ENCRYPTION_HEADER.test(name)))
    throw unsupported('customer-supplied encryption keys');
  if (request.headers.range !== undefined) throw unsupported('the header Range');
  const unknown = UNSUPPORTED_QUERY.find((key) => key in query);
  if (unknown !== undefined) throw unsupported(`the query parameter ${unknown}`);
}

/** Does what a request asks. Throws `StorageFault`. */
export function route(exchange: Exchange, path: string): Answer {
  assertSupported(exchange);
  const upload = UPLOAD_PATH.exec(path);
  if (upload?.[1]) return routeUpload(exchange, decode(upload[1]));
  const object = OBJECT_PATH.exec(path);
  if (object?.[1] && object[2]) return routeObject(exchange, decode(object[1]), decode(object[2]));
  return routeBucket(exchange, path);
}

function routeBucket(exchange: Exchange, path: string): Answer {
  const { method } = exchange.request;
  const objects = OBJECTS_PATH.exec(path);
  if (objects?.[1] && method === 'GET') return listObjects(exchange, decode(objects[1]));
  const bucket = BUCKET_PATH.exec(path);
  if (bucket?.[1] && method === 'GET') return showBucket(exchange, decode(bucket[1]));
  if (BUCKETS_PATH.test(path) && method === 'POST') return createBucket(exchange);
  throw unsupported(`${method} ${path}`);
}

function routeUpload(exchange: Exchange, bucket: string): Answer {
  const { method } = exchange.request;
  const { upload_id: session, uploadType = '' } = exchange.query;
  if (session !== undefined && method === 'PUT') return continueResumable(exchange, session);
  if (session === undefined && method === 'POST') {
    if (uploadType === 'multipart') return uploadMultipart(exchange, bucket);
    if (uploadType === 'resumable') return startResumable(exchange, bucket);
  }
  throw unsupported(`${method} of an upload of the type ${uploadType}`);
}

function routeObject(exchange: Exchange, bucket: string, name: string): Answer {
  const { method } = exchange.request;
  if (method === 'DELETE') return deleteObject(exchange, bucket, name);
  if (method !== 'GET') throw unsupported(`${method} of an object`);
  return exchange.query['alt'] === 'media'
    ? downloadObject(exchange, bucket, name)
    : showObject(exchange, bucket, name);
}

async function createBucket(exchange: Exchange): Promise<void> {
  const { name, retentionPolicy } = await readJsonBody(exchange.request, BucketInput);
  assertBucketName(name);
  const now = exchange.storage.clock().toISOString();
  const { record } = await exchange.storage.buckets.create({
    name,
    timeCreated: now,
    ...(retentionPolicy ? { retentionPolicy: { ...retentionPolicy, effectiveTime: now } } : {}),
  });
  sendJson(exchange.response, 200, toBucketResource(record, exchange.baseUrl));
}

function showBucket(exchange: Exchange, name: string): void {
  const { record } = exchange.storage.buckets.get(name);
  sendJson(exchange.response, 200, toBucketResource(record, exchange.baseUrl));
}
