// The connection to PostgreSQL: a small lazy pool, transactions, and rows parsed as they come in.
import pg from 'pg';
import type * as z from 'zod';
import { LamplighterError, messageOf } from '#shared/errors.ts';

/** The pool or the client of a transaction: what store functions take as their first argument. */
export interface Queryable {
  query(sql: string, values?: readonly unknown[]): Promise<{ rows: unknown[]; rowCount: number }>;
}

/** A pool of connections. Nothing connects before the first query. */
export interface Database extends Queryable {
  /** Runs `work` in one transaction; rolls back when it throws. */
  transaction<T>(work: (tx: Queryable) => Promise<T>): Promise<T>;
  /** A client of its own outside the pool, not yet connected: for LISTEN. */
  dedicatedClient(): pg.Client;
  close(): Promise<void>;
}

export interface DatabaseOptions {
  /** Connections at most; default 2. `shared/topology.ts` gives each entry point its own. */
  maxConnections?: number;
  /** Certificate (PEM) of the authority that signs the server's own; with it, only TLS to such a server is spoken. */
  serverCa?: string | undefined;
  /** Default 30 s. */
  statementTimeoutMs?: number;
}

const INT8_OID = 20;
const DATE_OID = 1082;

function typeParser(oid: number, format?: 'text' | 'binary'): unknown {
  // Counters and sizes stay far below 2^53.
  if (oid === INT8_OID) return (text: string) => Number(text);
  // A calendar date has no zone; as a Date it would shift.
  if (oid === DATE_OID) return (text: string) => text;
  return pg.types.getTypeParser(oid, format);
}

// Server is shutting down or starting, connection broken, too many connections (PostgreSQL, appendix A).
const UNAVAILABLE_STATE = /^(08|57P0|53300)/;
const UNAVAILABLE_CALL = new Set(['ECONNREFUSED', 'ECONNRESET', 'EPIPE', 'ETIMEDOUT', 'ENOENT']);
const UNAVAILABLE_MESSAGE = /connection terminated|timeout exceeded when trying to connect|not queryable/i;

function isUnavailable(error: unknown): boolean {
  if (!(error instanceof Error)) return false;
  const code = 'code' in error && typeof error.code === 'string' ? error.code : '';
  return (
    UNAVAILABLE_STATE.test(code) || UNAVAILABLE_CALL.has(code) || UNAVAILABLE_MESSAGE.test(error.message)
  );
}

function asStoreError(error: unknown): unknown {
  if (!isUnavailable(error)) return error;
  return new LamplighterError('unavailable', `reach database: ${messageOf(error)}`, {
    retryable: true,
    cause: error,
  });
}

async function run(client: pg.Pool | pg.ClientBase, sql: string, values: readonly unknown[] = []) {
  try {
    const { rows, rowCount } = await client.query<Record<string, unknown>>(sql, [...values]);
    return { rows, rowCount: rowCount ?? 0 };
  } catch (error) {
    throw asStoreError(error);
  }
}

async function transact<T>(pool: pg.Pool, work: (tx: Queryable) => Promise<T>): Promise<T> {
  const client = await pool.connect().catch((error: unknown) => {
    throw asStoreError(error);
  });
  let broken: Error | undefined;
  // While a client is checked out the pool does not listen for its errors; unheard they would end the process.
  const onError = (error: Error): void => {
    broken = error;
  };
  client.on('error', onError);
  try {
    await run(client, 'BEGIN');
    const value = await work({ query: (sql, values) => run(client, sql, values) });
    await run(client, 'COMMIT');
    return value;
  } catch (error) {
    await client.query('ROLLBACK').catch((failure: Error) => onError(failure));
    throw error;
  } finally {
    client.off('error', onError);
    client.release(broken);
  }
}

/** Opens a database by its URL (`postgresql://…`). */
export function openDatabase(url: string, options: DatabaseOptions = {}): Database {
  const connection = {
    connectionString: url,
    // The authority is the instance's own and signs nothing else, and the private address is in no certificate: so the
    // certificate is checked against the authority, and not against the address.
    ...(options.serverCa === undefined
      ? {}
      : { ssl: { ca: options.serverCa, checkServerIdentity: () => undefined } }),
    application_name: 'lamplighter',
    types: { getTypeParser: typeParser },
    connectionTimeoutMillis: 10_000,
    keepAlive: true,
  };
  const pool = new pg.Pool({
    ...connection,
    max: options.maxConnections ?? 2,
    idleTimeoutMillis: 30_000,
    statement_timeout: options.statementTimeoutMs ?? 30_000,
    idle_in_transaction_session_timeout: 60_000,
    allowExitOnIdle: true,
  });
  // An idle connection that the server drops is replaced on the next query; unheard it would end the process.
  pool.on('error', () => undefined);
  return {
    query: (sql, values) => run(pool, sql, values),
    transaction: (work) => transact(pool, work),
    dedicatedClient: () => new pg.Client(connection),
    close: () => pool.end(),
  };
}

/** Runs a query and parses each row. */
export async function queryRows<T extends z.ZodType>(
  db: Queryable,
  schema: T,
  sql: string,
  values: readonly unknown[] = [],
): Promise<z.infer<T>[]> {
  const { rows } = await db.query(sql, values);
  return rows.map((row) => schema.parse(row));
}

/** The first row, parsed, or undefined when there is none. */
export async function queryRow<T extends z.ZodType>(
  db: Queryable,
  schema: T,
  sql: string,
  values: readonly unknown[] = [],
): Promise<z.infer<T> | undefined> {
  return (await queryRows(db, schema, sql, values))[0];
}
