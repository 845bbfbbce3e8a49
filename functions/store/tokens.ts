// API tokens: 256 random bits, stored only as SHA-256, each with a name, a role, an expiry and perhaps a scope; revocable.
import { createHash, randomBytes, randomUUID, timingSafeEqual } from 'node:crypto';
import * as z from 'zod';
import type { TokenView } from '#shared/api/views.ts';
import { LamplighterError } from '#shared/errors.ts';
import { Role } from '#shared/role.ts';
import { appendAudit } from './audit.ts';
import { type Database, type Queryable, queryRow, queryRows } from './database.ts';

/** A token that is neither revoked nor expired. */
export const ValidToken = z.lazy(() =>
  z.object({
    name: z.string(),
    role: Role,
    hosts: z.array(z.string()).nullable(),
    operations: z.array(z.string()).nullable(),
  }),
);
export type ValidToken = z.infer<typeof ValidToken>;

/** The default and the longest lifetime of a token. */
export const DEFAULT_LIFETIME_DAYS = 90;
export const MAX_LIFETIME_DAYS = 366;

export interface NewToken {
  name: string;
  role: Role;
  lifetimeDays?: number;
  hosts?: readonly string[] | null;
  operations?: readonly string[] | null;
}

/** The actor for changes with the database's own credentials. */
const ADMIN = 'admin:database';
const TOKEN = /^lamp_[A-Za-z0-9_-]{43}$/;
const DAY_MS = 86_400_000;
/** The last use is stored at most this often. */
const USE_NOTED_EVERY_MS = 5 * 60_000;
const TokenRow = z.lazy(() =>
  ValidToken.unwrap().extend({ hash: z.instanceof(Buffer), lastUsedAt: z.date().nullable() }),
);

function hashOf(token: string): Buffer {
  return createHash('sha256').update(token).digest();
}

/** Creates a token and returns its text, which is stored nowhere. Throws `conflict` when the name is taken. */
export async function createToken(
  db: Database,
  { name, role, lifetimeDays = DEFAULT_LIFETIME_DAYS, hosts = null, operations = null }: NewToken,
  at: Date = new Date(),
): Promise<string> {
  const token = `lamp_${randomBytes(32).toString('base64url')}`;
  const expiresAt = new Date(at.getTime() + lifetimeDays * DAY_MS);
  await db.transaction(async (tx) => {
    const { rowCount } = await tx.query(
      `INSERT INTO api_tokens (id, name, role, hash, created_at, expires_at, hosts, operations)
       VALUES ($1, $2, $3, $4, $5, $6, $7, $8) ON CONFLICT (name) DO NOTHING`,
      [randomUUID(), name, role, hashOf(token), at, expiresAt, hosts, operations],
    );
    if (rowCount === 0) {
      throw new LamplighterError('conflict', `create token ${name}: there is one with this name`, {
        hint: 'Choose another name: a token that has ended keeps its own, since the audit trail speaks of it.',
      });
    }
    const detail = { role, expiresAt: expiresAt.toISOString(), hosts, operations };
    await appendAudit(tx, { at, actor: ADMIN, action: 'token.created', target: name, detail });
  });
  return token;
}

/** The token; undefined when it is unknown, revoked or expired. Its use is recorded now and then. */
export async function useToken(
  db: Queryable,
  token: string,
  now: Date = new Date(),
): Promise<ValidToken | undefined> {
  if (!TOKEN.test(token)) return undefined;
  const hash = hashOf(token);
  const row = await queryRow(
    db,
    TokenRow,
    `SELECT name, role, hosts, operations, hash, last_used_at AS "lastUsedAt" FROM api_tokens
     WHERE hash = $1 AND revoked_at IS NULL AND expires_at > $2`,
    [hash, now],
  );
  if (!row || !timingSafeEqual(row.hash, hash)) return undefined;
  if (now.getTime() - (row.lastUsedAt?.getTime() ?? 0) >= USE_NOTED_EVERY_MS) {
    await db.query('UPDATE api_tokens SET last_used_at = $2 WHERE name = $1', [row.name, now]);
  }
  return ValidToken.parse(row);
}

/** The token with this name, or undefined when no such token is valid. */
export async function findTokenByName(
  db: Queryable,
  name: string,
  now: Date = new Date(),
): Promise<ValidToken | undefined> {
  return await queryRow(
    db,
    ValidToken,
    `SELECT name, role, hosts, operations FROM api_tokens
     WHERE name = $1 AND revoked_at IS NULL AND expires_at > $2`,
    [name, now],
  );
}

const ViewRow = z.lazy(() =>
  z.object({
    name: z.string(),
    role: Role,
    hosts: z.array(z.string()).nullable(),
    operations: z.array(z.string()).nullable(),
    createdAt: z.date(),
    expiresAt: z.date(),
    lastUsedAt: z.date().nullable(),
    revokedAt: z.date().nullable(),
  }),
);

/** All tokens, those that expire last first. */
export async function listTokens(db: Queryable): Promise<TokenView[]> {
  const rows = await queryRows(
    db,
    ViewRow,
    `SELECT name, role, hosts, operations, created_at AS "createdAt", expires_at AS "expiresAt",
       last_used_at AS "lastUsedAt", revoked_at AS "revokedAt"
     FROM api_tokens ORDER BY revoked_at NULLS FIRST, expires_at DESC, name LIMIT 500`,
  );
  return rows.map((row) => ({
    ...row,
    createdAt: row.createdAt.toISOString(),
    expiresAt: row.expiresAt.toISOString(),
    lastUsedAt: row.lastUsedAt?.toISOString() ?? null,
    revokedAt: row.revokedAt?.toISOString() ?? null,
  }));
}

/** Revokes a token for good; throws `not-found` when there is no such token, or it was revoked before. */
export async function revokeToken(
  db: Database,
  name: string,
  at: Date = new Date(),
  actor: string = ADMIN,
): Promise<void> {
  await db.transaction(async (tx) => {
    const { rowCount } = await tx.query(
      'UPDATE api_tokens SET revoked_at = $2 WHERE name = $1 AND revoked_at IS NULL',
      [name, at],
    );
    if (rowCount === 0) {
      throw new LamplighterError('not-found', `revoke token ${name}: there is no such token in force`, {
        hint: '`lamp tokens --all` lists every token with its state.',
      });
    }
    await appendAudit(tx, { at, actor, action: 'token.revoked', target: name, detail: {} });
  });
}
