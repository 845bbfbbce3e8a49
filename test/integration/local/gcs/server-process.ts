// A server in a process of its own, to be killed. Prints its URL.
import { startGcs } from '#local/gcs/server.ts';

const { url } = await startGcs({ host: '127.0.0.1', dataDir: process.argv[2] ?? '' });
console.log(url);
