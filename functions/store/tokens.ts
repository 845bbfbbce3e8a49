// API tokens: 256 random bits, kept as SHA-256 only, each with a name and a role, revocable.
import { createHash, randomBytes, randomUUID, timingSafeEqual } from 'node:crypto';
import { z } from 'zod';
import { LamplighterError } from '#shared/errors.ts';
import { Role } from '#shared/role.ts';
import { appendAudit } from './audit.ts';
import { type Database, type Queryable, queryRow } from './database.ts';

/** A token's standing now. */
export const TokenStanding = z.object({ name: z.string(), role: Role });
export type TokenStanding = z.infer<typeof TokenStanding>;

/** Whoever holds the database's own credentials. */
const ADMIN = 'admin:database';
const TOKEN = /^lamp_[A-Za-z0-9_-]{43}$/;
const TokenRow = TokenStanding.extend({ hash: z.instanceof(Buffer) });

function hashOf(token: string): Buffer {
  return createHash('sha256').update(token).digest();
}

/** Makes a token and gives its text, which is kept nowhere. Throws `conflict` when the name is taken. */
export async function createToken(
  db: Database,
  { name, role }: { name: string; role: Role },
  at: Date = new Date(),
): Promise<string> {
  const token = `lamp_${randomBytes(32).toString('base64url')}`;
  await db.transaction(async (tx) => {
    const { rowCount } = await tx.query(
      `INSERT INTO api_tokens (id, name, role, hash, created_at) VALUES ($1, $2, $3, $4, $5)
       ON CONFLICT (name) DO NOTHING`,
      [randomUUID(), name, role, hashOf(token), at],
    );
    if (rowCount === 0) {
      throw new LamplighterError('conflict', `create token ${name}: there is one with this name`, {
        hint: 'Choose another name: a revoked token keeps its own, since the audit trail speaks of it.',
      });
    }
    await appendAudit(tx, { at, actor: ADMIN, action: 'token.created', target: name, detail: { role } });
  });
  return token;
}

/** The token's name and role, or undefined when it is unknown or revoked. */
export async function findToken(db: Queryable, token: string): Promise<TokenStanding | undefined> {
  if (!TOKEN.test(token)) return undefined;
  const hash = hashOf(token);
  const row = await queryRow(
    db,
    TokenRow,
    'SELECT name, role, hash FROM api_tokens WHERE hash = $1 AND revoked_at IS NULL',
    [hash],
  );
  if (!row || !timingSafeEqual(row.hash, hash)) return undefined;
  return { name: row.name, role: row.role };
}

/** The standing of the token with this name, or undefined when there is none or it was revoked. */
export async function findTokenByName(db: Queryable, name: string): Promise<TokenStanding | undefined> {
  return await queryRow(
    db,
    TokenStanding,
    'SELECT name, role FROM api_tokens WHERE name = $1 AND revoked_at IS NULL',
    [name],
  );
}

/** Revokes a token for good; throws `not-found` when there is no such token in force. */
export async function revokeToken(db: Database, name: string, at: Date = new Date()): Promise<void> {
  await db.transaction(async (tx) => {
    const { rowCount } = await tx.query(
      'UPDATE api_tokens SET revoked_at = $2 WHERE name = $1 AND revoked_at IS NULL',
      [name, at],
    );
    if (rowCount === 0) {
      throw new LamplighterError('not-found', `revoke token ${name}: there is no such token in force`);
    }
    await appendAudit(tx, { at, actor: ADMIN, action: 'token.revoked', target: name, detail: {} });
  });
}
