// What an operator can do about a restore that PostgreSQL refused, read from what PostgreSQL said.
import { withHint } from '#shared/command/operation-failure.ts';
import { LamplighterError } from '#shared/errors.ts';

const MISSING_ROLE = /role "((?:[^"]|"")+)" does not exist/;

/** The same error, with a hint of its own where PostgreSQL's words name something that the operator can mend. */
export function adviseOnRestore(thrown: unknown): unknown {
  if (!(thrown instanceof LamplighterError) || thrown.hint !== undefined) return thrown;
  const role = MISSING_ROLE.exec(thrown.message)?.[1];
  if (role === undefined) return thrown;
  return withHint(thrown, roleHint(role));
}

const MAX_TOLD = 5;

/** What to do about roles that are missing. */
export function roleHint(names: string): string {
  return (
    `Role "${names}" is not on this server. The roles of a backup are in its globals.sql.age: as the owner of a ` +
    'recipient key, run age -d -i KEY globals.sql.age | psql -d postgres, then restore again.'
  );
}

/** The refusal of a restore because roles are missing: roles belong to the cluster, not to the database. */
export function missingRoles(names: readonly string[]): LamplighterError {
  const told = names.slice(0, MAX_TOLD).join('", "');
  return new LamplighterError('refused', `restore: role "${told}" does not exist`, { hint: roleHint(told) });
}
