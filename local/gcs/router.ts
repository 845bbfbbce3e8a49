// Which request does what. Both forms of a path are taken: with /storage/v1, and without, as clients send it when they
// are told of an emulator.
import { createBucket, deleteBucket, listBuckets, patchBucket, showBucket } from './bucket-routes.ts';
import { downloadObject } from './download.ts';
import { StorageFault, unsupported } from './fault.ts';
import type { Exchange } from './http-input.ts';
import { listObjects } from './list-objects.ts';
import { deleteObject, patchObject, showObject } from './object-routes.ts';
import type { Storage } from './storage.ts';
import { cancelResumable, continueResumable, startResumable } from './upload-resumable.ts';
import { uploadMedia, uploadMultipart } from './upload-simple.ts';

type Answer = Promise<void> | void;

/** A path segment decoded; 400 when it is not percent-encoded UTF-8. */
function decode(part: string): string {
  try {
    return decodeURIComponent(part);
  } catch {
    throw new StorageFault(400, 'The URL is not percent-encoded UTF-8.');
  }
}

function methodNotAllowed(method: string | undefined): never {
  throw new StorageFault(405, `The method ${method} is not allowed here.`);
}

const OBJECT_PATH = /^(?:\/download)?(?:\/storage\/v1)?\/b\/([^/]+)\/o\/([^/]+)$/;
const OBJECTS_PATH = /^(?:\/storage\/v1)?\/b\/([^/]+)\/o\/?$/;
const BUCKET_PATH = /^(?:\/storage\/v1)?\/b\/([^/]+)\/?$/;
const BUCKETS_PATH = /^(?:\/storage\/v1)?\/b\/?$/;
const UPLOAD_PATH = /^\/(?:resumable\/)?upload\/storage\/v1\/b\/([^/]+)\/o\/?$/;
const XML_PATH = /^\/([^/]+)\/(.+)$/;

/** Does what a request asks. Throws `StorageFault`. */
export function route(exchange: Exchange, storage: Storage, path: string): Answer {
  const upload = UPLOAD_PATH.exec(path);
  if (upload?.[1]) return routeUpload(exchange, storage, decode(upload[1]));
  const object = OBJECT_PATH.exec(path);
  if (object?.[1] && object[2]) return routeObject(exchange, storage, decode(object[1]), decode(object[2]));
  const objects = OBJECTS_PATH.exec(path);
  if (objects?.[1]) return routeObjects(exchange, storage, decode(objects[1]));
  const bucket = BUCKET_PATH.exec(path);
  if (bucket?.[1]) return routeBucket(exchange, storage, decode(bucket[1]));
  if (BUCKETS_PATH.test(path)) return routeBuckets(exchange, storage);
  return routeXml(exchange, storage, path);
}

function routeUpload(exchange: Exchange, storage: Storage, bucket: string): Answer {
  const { method } = exchange.request;
  const { upload_id: session, uploadType } = exchange.query;
  if (session !== undefined) {
    if (method === 'PUT' || method === 'POST') return continueResumable(exchange, storage);
    return method === 'DELETE' ? cancelResumable(exchange, storage) : methodNotAllowed(method);
  }
  if (method !== 'POST') return methodNotAllowed(method);
  if (uploadType === 'media') return uploadMedia(exchange, storage, bucket);
  if (uploadType === 'multipart') return uploadMultipart(exchange, storage, bucket);
  if (uploadType === 'resumable') return startResumable(exchange, storage, bucket);
  throw new StorageFault(400, `Unknown uploadType: ${uploadType ?? ''}`);
}

function routeObject(exchange: Exchange, storage: Storage, bucket: string, name: string): Answer {
  const { method } = exchange.request;
  if (method === 'GET' || method === 'HEAD') {
    return exchange.query['alt'] === 'media'
      ? downloadObject(exchange, storage, bucket, name)
      : showObject(exchange, storage, bucket, name);
  }
  if (method === 'PATCH' || method === 'PUT') return patchObject(exchange, storage, bucket, name);
  if (method === 'DELETE') return deleteObject(exchange, storage, bucket, name);
  return methodNotAllowed(method);
}

function routeObjects(exchange: Exchange, storage: Storage, bucket: string): Answer {
  return exchange.request.method === 'GET'
    ? listObjects(exchange, storage, bucket)
    : methodNotAllowed(exchange.request.method);
}

function routeBucket(exchange: Exchange, storage: Storage, name: string): Answer {
  const { method } = exchange.request;
  if (method === 'GET') return showBucket(exchange, storage, name);
  if (method === 'PATCH' || method === 'PUT') return patchBucket(exchange, storage, name);
  return method === 'DELETE' ? deleteBucket(exchange, storage, name) : methodNotAllowed(method);
}

function routeBuckets(exchange: Exchange, storage: Storage): Answer {
  const { method } = exchange.request;
  if (method === 'GET') return listBuckets(exchange, storage);
  return method === 'POST' ? createBucket(exchange, storage) : methodNotAllowed(method);
}

/** Downloads by the XML API's path, which some clients use for content. */
function routeXml(exchange: Exchange, storage: Storage, path: string): Answer {
  const match = XML_PATH.exec(path);
  const { method } = exchange.request;
  if (path.includes('/storage/v1/') || path.startsWith('/batch')) throw unsupported(`${method} ${path}`);
  if (!match?.[1] || !match[2] || (method !== 'GET' && method !== 'HEAD'))
    throw new StorageFault(404, 'Not Found');
  return downloadObject(exchange, storage, decode(match[1]), decode(match[2]));
}
