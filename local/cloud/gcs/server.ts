// Stands in for Google Cloud Storage: the JSON API that Google's own clients speak, on loopback, objects on disk. Differs
// from production:
// - no authentication, IAM, ACLs or signed URLs: every client that reaches the port can do everything;
// - of buckets only create and get, of objects upload (multipart, resumable), get, list by prefix, download and delete: what
//   Lamplighter uses. The rest is answered 501, and so is each parameter that would give another answer;
// - one version per object, which never changes: no versioning, no soft delete, no lifecycle, no metadata but the type;
// - `fields` and projections are ignored, checksums that come with an upload are not compared;
// - a new request to an upload session ends the one before it;
// - one notification configuration for all buckets, set at the start, and of all events only OBJECT_FINALIZE.
import { mkdir } from 'node:fs/promises';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { PublishNotification } from './event-message.ts';
import { StorageFault } from './fault.ts';
import { sendJson, sendText } from './http-input.ts';
import { route } from './router.ts';
import { openStorage, type Storage } from './storage.ts';

export interface GcsOptions {
  host: string;
  /** Default: one that is free. */
  port?: number;
  dataDir: string;
  /** Publishes the notifications of finalised objects; undefined: objects make none. */
  notify?: PublishNotification;
  clock?: () => Date;
}

export interface GcsServer {
  /** What `apiEndpoint` of the client is set to. */
  url: string;
  /** Ends the connections and waits until every commit under way is on the disk. */
  close(): Promise<void>;
}

function writeFault(response: ServerResponse, thrown: unknown, isMedia: boolean): void {
  const fault =
    thrown instanceof StorageFault
      ? thrown
      : new StorageFault(500, 'We encountered an internal error. Please try again.');
  if (response.headersSent || response.destroyed) {
    response.destroy();
    return;
  }
  if (!(thrown instanceof StorageFault)) console.error(thrown);
  // Production answers a failed download with the bare message, which the client makes its error's.
  if (isMedia) sendText(response, fault.status, fault.message);
  else sendJson(response, fault.status, fault.toBody());
}

async function serve(
  request: IncomingMessage,
  response: ServerResponse,
  storage: Storage,
  baseUrl: string,
): Promise<void> {
  // A broken connection needs no handling here: the handler gets the error where it reads or writes.
  response.on('error', () => undefined);
  const { pathname, query } = parseTarget(request.url ?? '/');
  try {
    await route({ request, response, query, storage, baseUrl: originOf(request) ?? baseUrl }, pathname);
  } catch (thrown) {
    writeFault(response, thrown, query['alt'] === 'media');
    // The rest of a refused body is taken and dropped, so that the client reads the answer and keeps its connection.
    request.resume();
  }
}

/** The origin that the client called, for links in the answer: a client may reach this server through a forwarded port. */
function originOf(request: IncomingMessage): string | undefined {
  const { host = '' } = request.headers;
  return /^(?:[a-z0-9.-]+|\[[0-9a-f:.]+\])(?::\d{1,5})?$/i.test(host) ? `http://${host}` : undefined;
}

/** Does not use `URL`, which would resolve an object named `..` against the path before it. */
function parseTarget(target: string): { pathname: string; query: Record<string, string> } {
  const [, pathname = '/', search = ''] = /^(?:https?:\/\/[^/?#]*)?([^?#]*)(?:\?([^#]*))?/.exec(target) ?? [];
  return { pathname, query: Object.fromEntries(new URLSearchParams(search)) };
}

/** Starts the server; its data outlives it. */
export async function startGcs(options: GcsOptions): Promise<GcsServer> {
  await mkdir(options.dataDir, { recursive: true, mode: 0o700 });
  let baseUrl = '';
  const storage = await openStorage({
    dataDir: options.dataDir,
    clock: options.clock ?? (() => new Date()),
    baseUrl: () => baseUrl,
    publish: options.notify,
  });
  // Uploads may take hours: no limit on a whole request.
  const underWay = new Set<Promise<void>>();
  const server = createServer({ requestTimeout: 0 }, (request, response) => {
    const work = serve(request, response, storage, baseUrl).finally(() => underWay.delete(work));
    underWay.add(work);
  });
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(options.port ?? 0, options.host, resolve);
  });
  baseUrl = `http://${options.host}:${(server.address() as AddressInfo).port}`;
  return {
    url: baseUrl,
    close: async () => {
      const closed = new Promise<void>((resolve) => server.close(() => resolve()));
      server.closeAllConnections();
      await closed;
      await Promise.all(underWay);
      await storage.events.close();
    },
  };
}
