// Google's limits for Cloud Storage, each with its source, and our own bounds for a machine's disk and memory.

/** An object name is 1 to 1,024 bytes of UTF-8: cloud.google.com/storage/docs/objects#naming */
export const MAX_OBJECT_NAME_BYTES = 1_024;

/** Every chunk of a resumable upload but the last: cloud.google.com/storage/docs/resumable-uploads */
export const CHUNK_QUANTUM_BYTES = 256 * 1_024;

/** A session URI expires after one week: cloud.google.com/storage/docs/resumable-uploads#session-uris */
export const SESSION_LIFETIME_MS = 7 * 24 * 60 * 60 * 1_000;

/** Both the default and the most of a page: cloud.google.com/storage/docs/json_api/v1/objects/list */
export const MAX_PAGE_RESULTS = 1_000;

/** 100 years: cloud.google.com/storage/docs/bucket-lock#retention-periods */
export const MAX_RETENTION_PERIOD_S = 3_155_760_000;

/** Ours: how long a notification that Pub/Sub does not take is kept. */
export const EVENT_RETENTION_MS = 24 * 60 * 60 * 1_000;

/** Ours: how long to wait before a notification is published again. */
export const EVENT_BACKOFF_MS = { first: 500, most: 30_000 } as const;

/** Ours: notifications under way at once. */
export const MAX_CONCURRENT_DELIVERIES = 8;

/** Ours: the body of a multipart upload, which is held in memory. */
export const MAX_MULTIPART_BYTES = 64 * 1_024 * 1_024;

/** Ours: a JSON request body. */
export const MAX_JSON_BYTES = 1_024 * 1_024;

/** Ours: how often a long chunk is made durable, so that a killed server loses no more than this of an upload. */
export const CHECKPOINT_BYTES = 16 * 1_024 * 1_024;
