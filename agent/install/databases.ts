// Checks the servers of the databases that a policy names: a server that could never be backed up is refused before anything is
// installed; for a server that can't be asked now, or lacks its client programs, there is a warning.
import { hintOf, LamplighterError, messageOf } from '#shared/errors.ts';
import type { Policy } from '#shared/policy/policy.ts';
import { programsFor } from '../host/postgres.ts';
import { assertDumpIsSafe, MIN_SERVER_MAJOR, type Programs } from '../host/postgres-programs.ts';

type Databases = Policy['databases'];
type Ask = (server: Databases[string]) => Promise<Pick<Programs, 'version'>>;

/**
 * Asks each server once. Throws `refused` for a server that is too old; `tell` gets a line for each fault that can be mended
 * later.
 */
export async function checkServers(
  databases: Databases,
  tell: (line: string) => void,
  ask: Ask = programsFor,
): Promise<void> {
  const servers = Map.groupBy(Object.entries(databases), ([, { socketDir, port }]) => `${socketDir}:${port}`);
  for (const entries of servers.values()) {
    const [first] = entries;
    if (!first) continue;
    const names = entries.map(([name]) => name).join(', ');
    try {
      const { version } = await ask(first[1]);
      warnOfDump(version, names, tell);
    } catch (cause) {
      if (cause instanceof LamplighterError && cause.code === 'refused') {
        throw new LamplighterError('refused', `install agent for ${names}: ${cause.message}`, {
          cause,
          hint: `Upgrade the server to PostgreSQL ${MIN_SERVER_MAJOR} or later, or take ${names} out of "databases:" in the policy.`,
        });
      }
      const hint = hintOf(cause);
      tell(
        `Not checked: ${names} must be on PostgreSQL ${MIN_SERVER_MAJOR} or newer (${messageOf(cause)})${hint === undefined ? '' : `. ${hint}`}`,
      );
    }
  }
}

function warnOfDump(version: string, names: string, tell: (line: string) => void): void {
  try {
    assertDumpIsSafe(version);
  } catch (error) {
    tell(`Backups of ${names} will fail until this is mended: ${messageOf(error)}. ${hintOf(error) ?? ''}`);
  }
}
