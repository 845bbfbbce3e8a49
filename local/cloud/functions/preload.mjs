// Preloaded into each function's process. The functions framework listens on all interfaces, which is right in its container
// and wrong on a laptop: LAMPLIGHTER_BIND_ADDRESS names the one address to listen on. The stack that started the
// process learns over IPC that it listens (a connection that succeeds could be another program's), and the process ends when
// the stack is gone, however that ended.
import { Server } from 'node:net';

const address = process.env.LAMPLIGHTER_BIND_ADDRESS;
const listen = Server.prototype.listen;

Server.prototype.listen = function listenOnOneAddress(first, ...rest) {
  const isPort = typeof first === 'number' || (typeof first === 'string' && /^\d+$/.test(first));
  if (!address || !isPort) return listen.call(this, first, ...rest);
  const callback = rest.find((argument) => typeof argument === 'function');
  this.once('listening', () => process.send?.('listening'));
  return listen.call(this, { port: Number(first), host: address }, callback);
};

process.once('disconnect', () => process.exit(1));
// The channel must not keep the process alive.
process.channel?.unref();
