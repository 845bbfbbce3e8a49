import { type AddressInfo, createServer } from 'node:net';

/** A TCP port that is free on this address now; `preferred` when it is free. */
export async function findFreePort(address: string, preferred = 0): Promise<number> {
  return (await tryPort(address, preferred)) ?? (await tryPort(address, 0)) ?? 0;
}

function tryPort(address: string, port: number): Promise<number | undefined> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once('error', () => resolve(undefined));
    server.listen(port, address, () => {
      const { port: found } = server.address() as AddressInfo;
      server.close(() => resolve(found));
    });
  });
}
