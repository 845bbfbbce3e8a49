// Stands in for Google Cloud Storage: the JSON API that Google's own clients speak, on loopback, objects on disk. Differs
// from production: no IAM, no versions of an object beside the live one, no compose, copy or batch, no signed URLs,
// `fields` and projections are ignored, a retention policy can't be locked.
import { mkdir } from 'node:fs/promises';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { EventTarget, MintIdToken } from './event-delivery.ts';
import { StorageFault } from './fault.ts';
import { type Exchange, sendEmpty, sendJson } from './http-input.ts';
import { route } from './router.ts';
import { openStorage, type Storage } from './storage.ts';

export interface GcsOptions {
  host: string;
  /** Default: one that is free. */
  port?: number;
  dataDir: string;
  /** Where object-finalised events go, as Eventarc delivers them. */
  events?: EventTarget;
  mintIdToken?: MintIdToken;
  clock?: () => Date;
}

export interface GcsServer {
  /** What `apiEndpoint` of the client is set to. */
  url: string;
  setEventTarget(target: EventTarget | undefined): void;
  close(): Promise<void>;
}

function writeFault(response: ServerResponse, thrown: unknown): void {
  const fault =
    thrown instanceof StorageFault
      ? thrown
      : new StorageFault(500, 'We encountered an internal error. Please try again.');
  if (!(thrown instanceof StorageFault)) console.error(thrown);
  if (response.headersSent || response.destroyed) {
    response.destroy();
    return;
  }
  for (const [name, value] of Object.entries(fault.headers)) response.setHeader(name, value);
  if (fault.status === 304) sendEmpty(response, 304);
  else sendJson(response, fault.status, fault.toBody());
}

async function serve(
  request: IncomingMessage,
  response: ServerResponse,
  storage: Storage,
  baseUrl: string,
): Promise<void> {
  try {
    const url = parseUrl(request.url ?? '/', baseUrl);
    const exchange: Exchange = { request, response, query: Object.fromEntries(url.searchParams), baseUrl };
    await route(exchange, storage, url.pathname);
  } catch (thrown) {
    writeFault(response, thrown);
    // The rest of a refused body is taken and dropped, so that the client reads the answer and keeps its connection.
    request.resume();
  }
}

function parseUrl(path: string, baseUrl: string): URL {
  if (!URL.canParse(path, baseUrl)) throw new StorageFault(400, 'The request URL is malformed.');
  return new URL(path, baseUrl);
}

/** Starts the server; its data outlives it. */
export async function startGcs(options: GcsOptions): Promise<GcsServer> {
  await mkdir(options.dataDir, { recursive: true, mode: 0o700 });
  let baseUrl = '';
  const storage = await openStorage({
    dataDir: options.dataDir,
    clock: options.clock ?? (() => new Date()),
    baseUrl: () => baseUrl,
    mintIdToken: options.mintIdToken,
  });
  // Uploads may take hours: no limit on a whole request.
  const server = createServer({ requestTimeout: 0 }, (request, response) => {
    void serve(request, response, storage, baseUrl);
  });
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(options.port ?? 0, options.host, resolve);
  });
  baseUrl = `http://${options.host}:${(server.address() as AddressInfo).port}`;
  if (options.events) storage.events.setTarget(options.events);
  return {
    url: baseUrl,
    setEventTarget: (target) => storage.events.setTarget(target),
    close: async () => {
      server.closeAllConnections();
      await new Promise<void>((resolve) => server.close(() => resolve()));
      await storage.events.close();
    },
  };
}
