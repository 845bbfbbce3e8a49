// Which request does what. Both forms of a path are taken: with /storage/v1, and without, as clients send it when they
// are told of an emulator.
import {
  createBucket,
  deleteBucket,
  listBuckets,
  lockRetentionPolicy,
  patchBucket,
  showBucket,
  showStorageLayout,
} from './bucket-routes.ts';
import { composeObject, copyObject, rewriteObject } from './copy-routes.ts';
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
const COMPOSE_PATH = /^(?:\/storage\/v1)?\/b\/([^/]+)\/o\/([^/]+)\/compose$/;
const COPY_PATH = /^(?:\/storage\/v1)?\/b\/([^/]+)\/o\/([^/]+)\/(rewriteTo|copyTo)\/b\/([^/]+)\/o\/([^/]+)$/;
const BUCKET_ACTION_PATH = /^(?:\/storage\/v1)?\/b\/([^/]+)\/(lockRetentionPolicy|storageLayout)$/;
const OBJECTS_PATH = /^(?:\/storage\/v1)?\/b\/([^/]+)\/o\/?$/;
const BUCKET_PATH = /^(?:\/storage\/v1)?\/b\/([^/]+)\/?$/;
const BUCKETS_PATH = /^(?:\/storage\/v1)?\/b\/?$/;
const UPLOAD_PATH = /^\/(?:resumable\/)?upload\/storage\/v1\/b\/([^/]+)\/o\/?$/;
const ENCRYPTION_HEADER = /^x-goog-(?:copy-source-)?encryption-/;
const XML_PATH = /^\/([^/]+)\/(.+)$/;

/** Does what a request asks. Throws `StorageFault`. */
export function route(exchange: Exchange, storage: Storage, path: string): Answer {
  if (Object.keys(exchange.request.headers).some((name) => ENCRYPTION_HEADER.test(name)))
    throw unsupported('customer-supplied encryption keys');
  const upload = UPLOAD_PATH.exec(path);
  if (upload?.[1]) return routeUpload(exchange, storage, decode(upload[1]));
  const object = OBJECT_PATH.exec(path);
  if (object?.[1] && object[2]) return routeObject(exchange, storage, decode(object[1]), decode(object[2]));
  const objects = OBJECTS_PATH.exec(path);
  if (objects?.[1]) return routeObjects(exchange, storage, decode(objects[1]));
  const bucket = BUCKET_PATH.exec(path);
  if (bucket?.[1]) return routeBucket(exchange, storage, decode(bucket[1]));
  if (BUCKETS_PATH.test(path)) return routeBuckets(exchange, storage);
  return routeAction(exchange, storage, path);
}

/** What the API writes as a verb behind the resource. */
function routeAction(exchange: Exchange, storage: Storage, path: string): Answer {
  const { method } = exchange.request;
  const [, bucket, action] = BUCKET_ACTION_PATH.exec(path) ?? [];
  if (bucket && action === 'storageLayout' && method === 'GET')
    return showStorageLayout(exchange, storage, decode(bucket));
  if (method !== 'POST') return routeXml(exchange, storage, path);
  if (bucket) return lockRetentionPolicy(exchange, storage, decode(bucket));
  const [, composedIn, composed] = COMPOSE_PATH.exec(path) ?? [];
  if (composedIn && composed) return composeObject(exchange, storage, decode(composedIn), decode(composed));
  const copy = COPY_PATH.exec(path);
  if (copy) return routeCopy(exchange, storage, copy);
  return routeXml(exchange, storage, path);
}

function routeCopy(exchange: Exchange, storage: Storage, path: RegExpExecArray): Answer {
  const [, sourceBucket = '', sourceObject = '', action, bucket = '', object = ''] = path;
  const ends = {
    sourceBucket: decode(sourceBucket),
    sourceObject: decode(sourceObject),
    bucket: decode(bucket),
    object: decode(object),
  };
  return action === 'copyTo' ? copyObject(exchange, storage, ends) : rewriteObject(exchange, storage, ends);
}

function routeUpload(exchange: Exchange, storage: Storage, bucket: string): Answer {
  const { method } = exchange.request;
  const { upload_id: session, uploadType = 'multipart' } = exchange.query;
  if (session !== undefined) {
    if (method === 'PUT' || method === 'POST') return continueResumable(exchange, storage);
    return method === 'DELETE' ? cancelResumable(exchange, storage) : methodNotAllowed(method);
  }
  if (method !== 'POST') return methodNotAllowed(method);
  if (uploadType === 'media') return uploadMedia(exchange, storage, bucket);
  if (uploadType === 'multipart') return uploadMultipart(exchange, storage, bucket);
  if (uploadType === 'resumable') return startResumable(exchange, storage, bucket);
  throw new StorageFault(400, `Unknown uploadType: ${uploadType}`);
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
