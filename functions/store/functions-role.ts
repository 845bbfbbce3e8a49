// The role that the functions log in as; a migration makes it and says what it may.
import { z } from 'zod';
import { type Database, queryRow } from './database.ts';

export const FUNCTIONS_ROLE = 'lamplighter_functions';

/** Lets the functions' role log in with this password; with the owner's credentials. */
export async function letFunctionsIn(db: Database, password: string): Promise<void> {
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
