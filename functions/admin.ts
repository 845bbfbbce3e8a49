// What is done with the database's own credentials and not over the API: the schema, the first token, the trail's proof.
//   DATABASE_URL=postgresql://… node functions/admin.ts COMMAND
import { parseArgs } from 'node:util';
import { z } from 'zod';
import type { TokenView } from '#shared/api/views.ts';
import { LamplighterError, messageOf } from '#shared/errors.ts';
import { HostName } from '#shared/names.ts';
import { Role } from '#shared/role.ts';
import { isOperationScope } from './command/scope.ts';
import { readConfig } from './config.ts';
import { verifyAuditChain } from './store/audit.ts';
import { type Database, openDatabase } from './store/database.ts';
import { migrate } from './store/migrate.ts';
import {
  createToken,
  DEFAULT_LIFETIME_DAYS,
  listTokens,
  MAX_LIFETIME_DAYS,
  revokeToken,
} from './store/tokens.ts';

const USAGE = `usage: node functions/admin.ts COMMAND      (DATABASE_URL names the database)
  migrate                   bring the schema up to date
  create-token NAME ROLE [--days N] [--hosts A,B] [--operations service.restart,backup.*]
                            print a new token; ROLE is ${Role.options.join(', ')};
                            it ends after ${DEFAULT_LIFETIME_DAYS} days unless --days says otherwise
  list-tokens               print all tokens with their ends and their last use
  revoke-token NAME         end a token for good
  verify-audit              prove that no audit entry was changed or removed
`;

const list = z.string().transform((text) => text.split(','));
const TokenArguments = z.object({
  name: z.string().min(1).max(100),
  role: Role,
  lifetimeDays: z.coerce.number().int().min(1).max(MAX_LIFETIME_DAYS).default(DEFAULT_LIFETIME_DAYS),
  hosts: list.pipe(z.array(HostName)).nullable(),
  operations: list
    .pipe(z.array(z.string().refine(isOperationScope, 'neither an operation nor a family of them')))
    .nullable(),
});

async function createOne(db: Database, args: string[]): Promise<string> {
  const options = {
    days: { type: 'string' },
    hosts: { type: 'string' },
    operations: { type: 'string' },
  } as const;
  const { positionals, values } = parseArgs({ args, options, allowPositionals: true });
  const [name, role] = positionals;
  const { days: lifetimeDays, hosts = null, operations = null } = values;
  const parsed = TokenArguments.safeParse({ name, role, lifetimeDays, hosts, operations });
  if (parsed.success) return await createToken(db, parsed.data);
  const faults = parsed.error.issues.map(({ path, message }) => `${path.join('.')}: ${message}`);
  throw new LamplighterError('invalid-input', `create token: ${faults.join('; ')}`, { hint: USAGE });
}

function tokenLine({ name, role, hosts, operations, expiresAt, lastUsedAt, revokedAt }: TokenView): string {
  const end = revokedAt === null ? `ends ${expiresAt}` : `revoked ${revokedAt}`;
  const scope = [...(hosts ?? []), ...(operations ?? [])].join(',');
  return [name, role, end, `used ${lastUsedAt ?? 'never'}`, scope].join('\t').trimEnd();
}

async function verify(db: Database): Promise<string> {
  const verdict = await verifyAuditChain(db);
  if (verdict.intact) return `intact: ${verdict.entries} entries`;
  throw new LamplighterError('corrupt', `verify audit trail: entry ${verdict.seq}: ${verdict.fault}`);
}

async function run(db: Database, [command = '', ...args]: readonly string[]): Promise<string> {
  switch (command) {
    case 'migrate': {
      const applied = await migrate(db);
      return applied.length === 0 ? 'up to date' : applied.join('\n');
    }
    case 'create-token':
      return await createOne(db, args);
    case 'list-tokens':
      return (await listTokens(db)).map(tokenLine).join('\n');
    case 'revoke-token':
      await revokeToken(db, args[0] ?? '');
      return `revoked ${args[0]}`;
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
