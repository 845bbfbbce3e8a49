// What comes in over HTTP, bounded and parsed before anything acts on it.
import type { IncomingMessage, ServerResponse } from 'node:http';
import * as z from 'zod';
import { describeFault } from '#shared/plain-issue.ts';
import { invalid, StorageFault } from './fault.ts';
import { MAX_JSON_BYTES } from './limits.ts';
import type { Storage } from './storage.ts';

/** One request and its answer. */
export interface Exchange {
  request: IncomingMessage;
  response: ServerResponse;
  query: Record<string, string>;
  storage: Storage;
  /** The origin under which the client reached this server, for the links in an answer. */
  baseUrl: string;
}

/** A value in the schema's shape, or 400 with the first thing that is wrong with it. */
export function parseInput<T>(schema: z.ZodType<T>, value: unknown): T {
  const parsed = schema.safeParse(value);
  if (parsed.success) return parsed.data;
  throw invalid(`Invalid value for ${describeFault(parsed.error, 'request')}`);
}

/** Chunks of a body; leaving the loop early does not cut the connection, so that the answer can still be sent. */
export function bodyOf(request: IncomingMessage): AsyncIterable<Buffer> {
  return request.iterator({ destroyOnReturn: false });
}

/** A whole body. Throws 413 when it is longer. */
export async function readBody(request: IncomingMessage, maxBytes: number): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of bodyOf(request)) {
    size += chunk.length;
    if (size > maxBytes) throw new StorageFault(413, `Request body exceeds ${maxBytes} bytes.`);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}

/** A JSON body; an empty one is `{}`. */
export async function readJsonBody<T>(request: IncomingMessage, schema: z.ZodType<T>): Promise<T> {
  return parseJson(await readBody(request, MAX_JSON_BYTES), schema);
}

export function parseJson<T>(bytes: Buffer, schema: z.ZodType<T>): T {
  if (bytes.length === 0) return parseInput(schema, {});
  try {
    return parseInput(schema, JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes)));
  } catch (thrown) {
    if (thrown instanceof StorageFault) throw thrown;
    throw new StorageFault(400, 'Parse Error', { reason: 'parseError' });
  }
}

export function sendJson(response: ServerResponse, status: number, body: object): void {
  const bytes = Buffer.from(JSON.stringify(body));
  response
    .writeHead(status, {
      'content-type': 'application/json; charset=UTF-8',
      'content-length': bytes.length,
      'cache-control': 'no-cache, no-store, max-age=0, must-revalidate',
    })
    .end(bytes);
}

export function sendText(response: ServerResponse, status: number, text: string): void {
  const bytes = Buffer.from(text);
  response
    .writeHead(status, { 'content-type': 'text/html; charset=UTF-8', 'content-length': bytes.length })
    .end(bytes);
}

export function sendEmpty(
  response: ServerResponse,
  status: number,
  headers: Record<string, string> = {},
): void {
  response.writeHead(status, { ...headers, 'content-length': 0 }).end();
}
