// The issuer's certificates and, per service account, a stand-in for the metadata server of Google Compute Engine
// (cloud.google.com/compute/docs/metadata): just the identity token, since nothing here takes an access token.
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { TokenMint } from './token-mint.ts';

export interface IdentityServer {
  certsUrl: string;
  /** Value of GCE_METADATA_HOST for a process that runs as this service account. */
  metadataHostFor(serviceAccountEmail: string): Promise<string>;
  close(): Promise<void>;
}

const IDENTITY_PATH = '/computeMetadata/v1/instance/service-accounts/default/identity';

/** Serves certificates and one metadata server per identity, on loopback. */
export async function startIdentityServer(mint: TokenMint, projectId: string): Promise<IdentityServer> {
  const servers: Server[] = [];
  const hosts = new Map<string, string>();
  const certs = await listen((_request, response) => {
    response.setHeader('cache-control', 'public, max-age=3600');
    answer(response, 200, 'application/json', JSON.stringify(mint.certificates()));
  });
  servers.push(certs.server);
  return {
    certsUrl: `http://${certs.host}/certs`,
    metadataHostFor: async (email) => {
      const known = hosts.get(email);
      if (known) return known;
      const metadata = await listen((request, response) => {
        void answerMetadata(request, response, mint, email, projectId);
      });
      servers.push(metadata.server);
      hosts.set(email, metadata.host);
      return metadata.host;
    },
    close: async () => {
      await Promise.all(servers.map(closeServer));
    },
  };
}

async function answerMetadata(
  request: IncomingMessage,
  response: ServerResponse,
  mint: TokenMint,
  serviceAccountEmail: string,
  projectId: string,
): Promise<void> {
  // Google's server answers only requests that a browser or a redirect can't make by accident.
  if (request.headers['metadata-flavor'] !== 'Google')
    return answer(response, 403, 'text/plain', 'Forbidden');
  const url = new URL(request.url ?? '/', 'http://metadata');
  const audience = url.searchParams.get('audience');
  if (url.pathname === IDENTITY_PATH && audience) {
    const token = await mint.mintIdToken({ serviceAccountEmail, audience });
    return answer(response, 200, 'text/html', token);
  }
  if (url.pathname === '/computeMetadata/v1/project/project-id')
    return answer(response, 200, 'text/plain', projectId);
  if (url.pathname === '/computeMetadata/v1/instance') return answer(response, 200, 'text/plain', 'hostname');
  if (url.pathname.endsWith('/email')) return answer(response, 200, 'text/plain', serviceAccountEmail);
  return answer(response, 404, 'text/plain', 'Not Found');
}

function answer(response: ServerResponse, status: number, type: string, body: string): void {
  response.writeHead(status, { 'content-type': type, 'metadata-flavor': 'Google' }).end(body);
}

async function listen(
  handler: (q: IncomingMessage, s: ServerResponse) => void,
): Promise<{ server: Server; host: string }> {
  const server = createServer(handler);
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(0, '127.0.0.1', resolve);
  });
  const { port } = server.address() as AddressInfo;
  return { server, host: `127.0.0.1:${port}` };
}

function closeServer(server: Server): Promise<void> {
  server.closeAllConnections();
  return new Promise((resolve) => server.close(() => resolve()));
}
