// Google Cloud Storage as the backup child uses it: create an object once, read an object by its name. A host has no
// other rights.
import type { Readable } from 'node:stream';
import { type File, Storage } from '@google-cloud/storage';
import * as z from 'zod';
import { LamplighterError, messageOf } from '#shared/errors.ts';
import {
  reasonOf,
  StoredObject,
  type UploadOrder,
  type UploadTarget,
  uploadFile,
} from './resumable-upload.ts';

export interface ObjectStore {
  /**
   * Uploads a file to an object that does not exist yet; the same file twice does no harm. Throws `unavailable`, `conflict`.
   */
  upload(order: UploadOrder): Promise<void>;
  /** Its bytes. Throws `not-found` when there is no such object. */
  read(object: string): AsyncGenerator<Buffer>;
}

function isMissing(error: unknown): boolean {
  return typeof error === 'object' && error !== null && 'code' in error && error.code === 404;
}

async function* readAll(stream: Readable, object: string): AsyncGenerator<Buffer> {
  try {
    for await (const chunk of stream) yield chunk;
  } catch (cause) {
    const code = isMissing(cause) ? 'not-found' : 'unavailable';
    throw new LamplighterError(code, `read ${object}: ${messageOf(cause)}`, { cause });
  }
}

function targetOf(file: File): UploadTarget {
  return {
    openSession: async () => {
      try {
        // Generation 0: only where there is no such object yet.
        const [session] = await file.createResumableUpload({ preconditionOpts: { ifGenerationMatch: 0 } });
        return session;
      } catch (cause) {
        throw new LamplighterError('unavailable', describe(cause), { retryable: isPassing(cause) });
      }
    },
    findObject: async () => {
      try {
        return StoredObject.parse((await file.getMetadata())[0]);
      } catch {
        // The object is missing, or this account is not allowed to see it (without the right to list, a missing object is 403).
        // Any other failure shows when the file is uploaded.
        return undefined;
      }
    },
  };
}

/** The client's errors come in several forms; the answer's status and text are what counts. */
const ApiFault = z.object({
  code: z.unknown().optional(),
  status: z.unknown().optional(),
  response: z.object({ status: z.unknown(), data: z.unknown() }).partial().optional().catch(undefined),
});

function codeOf(cause: unknown): number | undefined {
  const { data } = ApiFault.safeParse(cause);
  const codes = [data?.code, data?.status, data?.response?.status].map(Number);
  return codes.find((code) => Number.isInteger(code) && code >= 100);
}

/** True when the same request may succeed later: the server says so, or the network failed. */
function isPassing(cause: unknown): boolean {
  const status = codeOf(cause);
  return status === undefined || status === 408 || status === 429 || status >= 500;
}

function describe(cause: unknown): string {
  const status = codeOf(cause);
  if (status === undefined) return messageOf(cause);
  const answer = ApiFault.safeParse(cause).data?.response?.data;
  const text = typeof answer === 'string' ? answer : JSON.stringify(answer ?? {});
  return `HTTP ${status}: ${reasonOf(text) || messageOf(cause)}`;
}

/** A bucket; STORAGE_API_ENDPOINT points the client elsewhere (the local stack). */
export function openObjectStore(bucketName: string, apiEndpoint: string | undefined): ObjectStore {
  // To another endpoint the client sends credentials only when somebody has configured them.
  const useAuthWithCustomEndpoint = process.env.GOOGLE_APPLICATION_CREDENTIALS !== undefined;
  const bucket = new Storage(
    apiEndpoint === undefined ? {} : { apiEndpoint, projectId: 'local', useAuthWithCustomEndpoint },
  ).bucket(bucketName);
  return {
    upload: (order) => uploadFile(order, targetOf(bucket.file(order.object))),
    read: (object) => readAll(bucket.file(object).createReadStream({ validation: false }), object),
  };
}
