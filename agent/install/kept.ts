// What stays on a host that was uninstalled, for the person who uninstalls: some of it is secret, some exists nowhere else.
import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';

/**
 * Names what is still in the directory of the settings, the state, and what only the policy or PostgreSQL knows the place of.
 */
export function tellKept(settingsDir: string, stateDir: string): string {
  const settings = existsSync(settingsDir) ? readdirSync(settingsDir).toSorted() : [];
  const kept = [
    ...settings.map((name) => join(settingsDir, name)),
    ...(existsSync(stateDir) ? [stateDir] : []),
  ];
  const lines = [
    ...kept,
    'the local backups (localDir in the policy), and databases that restores put aside',
    'the system accounts whose names begin with lamplighter',
  ];
  return ['Removed. Kept:', ...lines.map((line) => `  ${line}`)].join('\n');
}
