// app-web: the demo product's JSON API on the port that its unit names.
import { createServer, type ServerResponse } from 'node:http';
import { openPool } from './database.ts';

const PORT = Number(process.env.PORT);
const pool = openPool();

function answer(response: ServerResponse, status: number, body: unknown): void {
  response.writeHead(status, { 'content-type': 'application/json' }).end(`${JSON.stringify(body)}\n`);
}

async function listEngines(): Promise<unknown> {
  const { rows } = await pool.query(
    // The date as text: pg would make a moment of it, which in summer lies on the day before.
    'SELECT id, name, site, status, rated_kw, commissioned_on::text FROM public.engines ORDER BY id LIMIT 100',
  );
  return { engines: rows };
}

const server = createServer((request, response) => {
  // Not through URL, which throws for a target such as `//`.
  const pathname = (request.url ?? '/').split('?')[0];
  if (pathname === '/healthz') return answer(response, 200, { ok: true });
  if (pathname !== '/api/engines') return answer(response, 404, { error: 'not found' });
  const began = performance.now();
  listEngines()
    .then((body) => answer(response, 200, body))
    .catch((error: Error) => answer(response, 503, { error: error.message }))
    .finally(() =>
      console.log(
        `${request.method} ${pathname} ${response.statusCode} ${(performance.now() - began).toFixed(1)} ms`,
      ),
    );
});

server.listen(PORT, process.env.LISTEN, () => console.log(`listening on ${PORT}`));
process.on('SIGTERM', () => {
  server.close(() => void pool.end().then(() => process.exit(0)));
  server.closeIdleConnections();
});
