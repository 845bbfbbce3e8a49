// The current state of everything, in one answer.
import type { StatusView } from '#shared/api/views.ts';
import type { Role } from '#shared/role.ts';
import { listAlertViews } from '../alert/view.ts';
import { latestBackupView } from '../backup/view.ts';
import { listCheckViews } from '../check/view.ts';
import { showCommand } from '../command/shown-command.ts';
import type { Deps } from '../deps.ts';
import { viewPlatform } from '../host/view.ts';
import { listIncidentViews } from '../incident/view.ts';
import { listCommands, toCommandView } from '../store/commands.ts';
import { listHostStates } from '../store/hosts.ts';
import { findRunbook } from '../store/runbooks.ts';
import type { TokenScope } from '../token/scope.ts';

const RECENT_COMMANDS = 10;
const MOST_LISTED = 50;

/** The status, as far as the role and the token's scope allow. */
export async function readStatus(
  { db, clock }: Pick<Deps, 'db' | 'clock'>,
  role: Role,
  scope?: TokenScope,
): Promise<StatusView> {
  const now = clock();
  const [current, states, checks, alerts, incidents, commands, lastBackup] = await Promise.all([
    findRunbook(db),
    listHostStates(db),
    listCheckViews(db, now),
    listAlertViews(db, { state: 'firing', limit: MOST_LISTED }),
    listIncidentViews(db, { state: 'unresolved', limit: MOST_LISTED }),
    listCommands(db, RECENT_COMMANDS),
    latestBackupView(db),
  ]);
  return {
    at: now.toISOString(),
    runbook: current
      ? { name: current.runbook.name, version: current.version, appliedAt: current.appliedAt.toISOString() }
      : null,
    ...viewPlatform(current?.runbook, states, now),
    checks,
    alerts,
    incidents,
    commands: commands.map((record) => showCommand(toCommandView(record), role, scope)),
    lastBackup,
  };
}
