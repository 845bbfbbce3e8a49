// What stays on a host that was uninstalled, for the person who uninstalls: some of it is secret, some exists nowhere else.
import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';

/**
 * Lists the files of the settings, the state, and what only the policy or PostgreSQL can locate.
 */
export function tellKept(settingsDir: string, stateDir: string): string {
  const settings = existsSync(settingsDir) ? readdirSync(settingsDir).toSorted() : [];
  const kept = [
    ...settings.map((name) => join(settingsDir, name)),
    ...(existsSync(stateDir) ? [stateDir] : []),
  ];
  const lines = [
    ...kept,
    'the local backups (localDir in the policy), and the databases that restores have put aside',
    'the system accounts whose names begin with lamplighter',
  ];
  return ['Removed. Kept:', ...lines.map((line) => `  ${line}`)].join('\n');
}
