// Cloud Storage. The client is imported and created at its first use.
import type { Bucket } from '@google-cloud/storage';

/** Opens a bucket by its name. */
export type BucketOpener = (name: string) => Promise<Bucket>;

export interface StorageOptions {
  projectId: string;
  /** Another address of the JSON API, without authentication: the local stack's. */
  apiEndpoint?: string | undefined;
}

/** An opener that shares one client. */
export function createBucketOpener({ projectId, apiEndpoint }: StorageOptions): BucketOpener {
  let client: Promise<import('@google-cloud/storage').Storage> | undefined;
  return async (name) => {
    client ??= import('@google-cloud/storage').then(
      // STORAGE_EMULATOR_HOST makes the client drop `/storage/v1` on some calls; `apiEndpoint` does not.
      ({ Storage }) => new Storage({ projectId, ...(apiEndpoint === undefined ? {} : { apiEndpoint }) }),
    );
    return (await client).bucket(name);
  };
}
