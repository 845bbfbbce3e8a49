// The status that a service on this host answers with. Not by `fetch`, which refuses the ports that browsers refuse (6000,
// 10080…).
import { request } from 'node:http';

export interface HttpTarget {
  /** An IP address. */
  address: string;
  port: number;
  /** With its query. */
  path: string;
}

/** A path as it goes on the wire: what is not ASCII in percent, no fragment. */
function wirePath(path: string): string {
  const [sent = '/'] = path.split('#');
  return sent.toWellFormed().replace(/[^\x21-\x7e]+/g, encodeURIComponent);
}

/** Asks once; a redirect is an answer. Rejects when none came in time. */
export function askStatus({ address, port, path }: HttpTarget, timeoutMs: number): Promise<number> {
  return new Promise((resolve, reject) => {
    const asking = request({
      host: address,
      port,
      path: wirePath(path),
      agent: false,
      headers: { accept: '*/*', 'user-agent': 'lamplighter' },
    });
    const timer = setTimeout(() => asking.destroy(new Error(`no answer within ${timeoutMs} ms`)), timeoutMs);
    asking.once('response', (response) => {
      resolve(response.statusCode ?? 0);
      // Its body may never end.
      asking.destroy();
    });
    asking.on('error', reject);
    asking.once('close', () => {
      clearTimeout(timer);
      reject(new Error('the connection was closed without an answer'));
    });
    asking.end();
  });
}
