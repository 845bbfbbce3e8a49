// What an operator can do about a restore that PostgreSQL refused, read from what PostgreSQL said.
import { LamplighterError } from '#shared/errors.ts';

const MISSING_ROLE = /role "((?:[^"]|"")+)" does not exist/;

/** The same error, with a hint of its own where PostgreSQL's words name something that the operator can mend. */
export function adviseOnRestore(thrown: unknown): unknown {
  if (!(thrown instanceof LamplighterError) || thrown.hint !== undefined) return thrown;
  const role = MISSING_ROLE.exec(thrown.message)?.[1];
  if (role === undefined) return thrown;
  const { code, message, details, retryable } = thrown;
  return new LamplighterError(code, message, {
    details,
    retryable,
    cause: thrown,
    hint:
      `Role "${role}" is not on this server. The roles of a backup are in its globals.sql.age: as the owner of a ` +
      'recipient key, run age -d -i KEY globals.sql.age | psql -d postgres, then restore again.',
  });
}
