// Preloaded into each function's process: the functions framework listens on all interfaces, which is right in its
// container and wrong on somebody's laptop. LAMPLIGHTER_BIND_ADDRESS names the one address to listen on.
import { Server } from 'node:net';

const address = process.env.LAMPLIGHTER_BIND_ADDRESS;
const listen = Server.prototype.listen;

Server.prototype.listen = function listenOnOneAddress(first, ...rest) {
  const isPort = typeof first === 'number' || (typeof first === 'string' && /^\d+$/.test(first));
  if (!address || !isPort) return listen.call(this, first, ...rest);
  const callback = rest.find((argument) => typeof argument === 'function');
  return listen.call(this, { port: Number(first), host: address }, callback);
};
