// The reader's entry: one reading of a journal, asked for on the socket that systemd passed as stdin. It may read every file
// of the host and write none, and has no network.
import { Socket } from 'node:net';
import { messageOf } from '#shared/errors.ts';
import { readConfig, readPinnedKeys } from '../config/config.ts';
import { PATHS } from '../config/paths.ts';
import { serveReading } from './serve.ts';

try {
  const { host } = readConfig(PATHS.config);
  const pinnedKeys = readPinnedKeys(PATHS.pinnedKeys);
  const socket = new Socket({ fd: 0, readable: true, writable: true });
  await serveReading(socket, { host, policyFile: PATHS.policy, pinnedKeys, clock: () => new Date() });
} catch (error) {
  console.error(JSON.stringify({ msg: 'reader failed', error: messageOf(error) }));
  process.exitCode = 1;
}
