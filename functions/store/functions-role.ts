// The role that the functions log in as; a migration creates it and grants its rights.
import * as z from 'zod';
import { messageOf } from '#shared/errors.ts';
import { type Database, queryRow } from './database.ts';

export const FUNCTIONS_ROLE = 'lamplighter_functions';

const MOST_ATTEMPTS = 5;

/**
 * Lets the functions' role log in with the password of their URL; with the owner's credentials. Returns the role, or
 * null when the URL names another user, whose rights the deployer chooses.
 */
export async function letFunctionsIn(db: Database, functionsUrl: string): Promise<string | null> {
  const { username, password } = new URL(functionsUrl);
  if (username !== FUNCTIONS_ROLE) return null;
  for (let attempt = 1; ; attempt++) {
    try {
      await setPassword(db, decodeURIComponent(password));
      return FUNCTIONS_ROLE;
    } catch (error) {
      // A role belongs to the whole server, so a lock in one database does not serialise two changes of it.
      if (attempt === MOST_ATTEMPTS || !messageOf(error).includes('tuple concurrently updated')) throw error;
    }
  }
}

async function setPassword(db: Database, password: string): Promise<void> {
  await db.transaction(async (tx) => {
    // A role's password can't be a parameter of ALTER ROLE.
    const row = await queryRow(
      tx,
      z.object({ sql: z.string() }),
      `SELECT format('ALTER ROLE ${FUNCTIONS_ROLE} LOGIN PASSWORD %L', $1::text) AS sql`,
      [password],
    );
    if (row) await tx.query(row.sql);
  });
}

/** The URL of the same database, for the functions' role. */
export function functionsUrl(ownerUrl: string, password: string): string {
  const url = new URL(ownerUrl);
  url.username = FUNCTIONS_ROLE;
  url.password = password;
  return url.toString();
}
