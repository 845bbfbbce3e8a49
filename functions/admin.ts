// What is done with the database's own credentials and not over the API: the schema, the first token, the trail's proof.
//   DATABASE_URL=postgresql://… node functions/admin.ts COMMAND
import { LamplighterError, messageOf } from '#shared/errors.ts';
import { Role } from '#shared/role.ts';
import { readConfig } from './config.ts';
import { verifyAuditChain } from './store/audit.ts';
import { type Database, openDatabase } from './store/database.ts';
import { migrate } from './store/migrate.ts';
import { createToken, revokeToken } from './store/tokens.ts';

const USAGE = `usage: node functions/admin.ts COMMAND      (DATABASE_URL names the database)
  migrate                   bring the schema up to date
  create-token NAME ROLE    print a new token; ROLE is ${Role.options.join(', ')}
  revoke-token NAME         end a token for good
  verify-audit              prove that no audit entry was changed or removed
`;

async function createOne(db: Database, name: string, role: string): Promise<string> {
  const parsed = Role.safeParse(role);
  if (parsed.success && name !== '') return await createToken(db, { name, role: parsed.data });
  throw new LamplighterError('invalid-input', `create token: "${role}" is no role`, { hint: USAGE });
}

async function verify(db: Database): Promise<string> {
  const verdict = await verifyAuditChain(db);
  if (verdict.intact) return `intact: ${verdict.entries} entries`;
  throw new LamplighterError('corrupt', `verify audit trail: entry ${verdict.seq}: ${verdict.fault}`);
}

async function run(
  db: Database,
  [command = '', first = '', second = '']: readonly string[],
): Promise<string> {
  switch (command) {
    case 'migrate': {
      const applied = await migrate(db);
      return applied.length === 0 ? 'up to date' : applied.join('\n');
    }
    case 'create-token':
      return await createOne(db, first, second);
    case 'revoke-token':
      await revokeToken(db, first);
      return `revoked ${first}`;
    case 'verify-audit':
      return await verify(db);
    default:
      throw new LamplighterError('invalid-input', 'run admin: no such command', { hint: USAGE });
  }
}

let db: Database | undefined;
try {
  db = openDatabase(readConfig(process.env).get('DATABASE_URL').reveal(), { statementTimeoutMs: 600_000 });
  process.stdout.write(`${await run(db, process.argv.slice(2))}\n`);
} catch (error) {
  const hint = error instanceof LamplighterError && error.hint ? `\n${error.hint}` : '';
  process.stderr.write(`${messageOf(error)}${hint}\n`);
  process.exitCode = 1;
} finally {
  await db?.close();
}
