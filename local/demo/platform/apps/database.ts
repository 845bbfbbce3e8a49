// The demo product's connection: over the Unix socket that PGHOST and PGPORT name, as the account it runs under.
import pg from 'pg';

/** A small pool that survives a restart of PostgreSQL. */
export function openPool(): pg.Pool {
  const pool = new pg.Pool({
    database: 'analytics',
    user: 'app',
    max: 5,
    connectionTimeoutMillis: 3000,
  });
  pool.on('error', (error) => console.error(`database connection lost: ${error.message}`));
  return pool;
}
