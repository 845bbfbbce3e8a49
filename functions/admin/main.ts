// The commands of functions/admin/command.ts, for a person who can reach the database.
//   OWNER_DATABASE_URL=postgresql://… node functions/admin/main.ts COMMAND
import type { TokenView } from '#shared/api/views.ts';
import { LamplighterError, messageOf } from '#shared/errors.ts';
import { parseOptions } from '#shared/options.ts';
import { describeFaults } from '#shared/plain-issue.ts';
import { Role } from '#shared/role.ts';
import { type Config, readConfig } from '../config.ts';
import { type Database, openDatabase } from '../store/database.ts';
import { DEFAULT_LIFETIME_DAYS } from '../store/tokens.ts';
import { type AdminAnswer, AdminCommand, type AdminMeans, runAdminCommand } from './command.ts';

const USAGE = `usage: node functions/admin/main.ts COMMAND      (OWNER_DATABASE_URL is the login of the schema's owner)
  migrate                   bring the schema up to date, and let lamplighter_functions log in with the password of
                            DATABASE_URL, the login of the functions, when that is set
  create-token NAME ROLE [--days N] [--hosts A,B] [--operations service.restart,backup.*]
                            print a new token; ROLE is ${Role.options.join(', ')};
                            it ends after ${DEFAULT_LIFETIME_DAYS} days unless --days says otherwise
  list-tokens               print all tokens with their ends and their last use
  revoke-token NAME         end a token for good
  verify-audit              prove that no audit entry was changed or removed: the trail is held against its signed anchors
                            when BACKUP_BUCKET, SIGNING_PUBLIC_KEYS (PEM) and GOOGLE_CLOUD_PROJECT are set, else only
                            against itself
`;

/** The command in the arguments. Throws `invalid-input` with the usage as hint. */
function parseCommand(args: string[]): AdminCommand {
  const options = {
    days: { type: 'string' },
    hosts: { type: 'string' },
    operations: { type: 'string' },
  } as const;
  const { positionals, values } = parseOptions({ args, options, allowPositionals: true }, USAGE);
  const [command, name, role] = positionals;
  const given = {
    command,
    name,
    role,
    lifetimeDays: values.days === undefined ? undefined : Number(values.days),
    hosts: values.hosts?.split(','),
    operations: values.operations?.split(','),
  };
  const parsed = AdminCommand.safeParse(
    Object.fromEntries(Object.entries(given).filter(([, value]) => value !== undefined)),
  );
  if (parsed.success) return parsed.data;
  const faults = describeFaults(parsed.error, 'command');
  throw new LamplighterError('invalid-input', `run admin: ${faults}`, { hint: USAGE });
}

function tokenLine({ name, role, hosts, operations, expiresAt, lastUsedAt, revokedAt }: TokenView): string {
  const end = revokedAt === null ? `ends ${expiresAt}` : `revoked ${revokedAt}`;
  const scope = [...(hosts ?? []), ...(operations ?? [])].join(',');
  return [name, role, end, `used ${lastUsedAt ?? 'never'}`, scope].join('\t').trimEnd();
}

function describe(answer: AdminAnswer): string {
  if ('applied' in answer) {
    const applied = answer.applied.length === 0 ? ['up to date'] : answer.applied;
    return [...applied, ...(answer.letIn === null ? [] : [`${answer.letIn} may log in`])].join('\n');
  }
  if ('token' in answer) return answer.token;
  if ('tokens' in answer) return answer.tokens.map(tokenLine).join('\n');
  if ('revoked' in answer) return `revoked ${answer.revoked}`;
  const { auditEntries, anchors, anchoredUpTo, unanchoredSince } = answer;
  const entries = `intact: ${auditEntries} entries`;
  if (anchors === null) return `${entries}; held against no anchor: BACKUP_BUCKET is not set`;
  const rest = unanchoredSince === null ? '' : `, those since ${unanchoredSince} by no anchor yet`;
  const proof = anchors === 1 ? '1 anchor' : `${anchors} anchors`;
  return `${entries}, up to ${anchoredUpTo} proven by ${proof}${rest}`;
}

/** Reads the anchors from the bucket that the environment names, if it names one. */
function anchorReader(config: Config): AdminMeans['readAnchors'] {
  const name = config.find('BACKUP_BUCKET');
  if (name === undefined) return undefined;
  return async () => {
    const { createBucketOpener } = await import('../cloud/storage.ts');
    const { readAnchors } = await import('../audit/read-anchors.ts');
    const openBucket = createBucketOpener({
      projectId: config.get('GOOGLE_CLOUD_PROJECT'),
      apiEndpoint: config.find('STORAGE_API_ENDPOINT'),
    });
    return await readAnchors(await openBucket(name), config.get('SIGNING_PUBLIC_KEYS'));
  };
}

let db: Database | undefined;
try {
  const order = parseCommand(process.argv.slice(2));
  const config = readConfig(process.env);
  db = openDatabase(config.get('OWNER_DATABASE_URL').reveal(), { statementTimeoutMs: 600_000 });
  const answer = await runAdminCommand(db, order, {
    functionsUrl: config.find('DATABASE_URL')?.reveal(),
    readAnchors: anchorReader(config),
  });
  process.stdout.write(`${describe(answer)}\n`);
} catch (error) {
  const hint = error instanceof LamplighterError && error.hint ? `\n${error.hint}` : '';
  process.stderr.write(`${messageOf(error)}${hint}\n`);
  process.exitCode = 1;
} finally {
  await db?.close();
}
