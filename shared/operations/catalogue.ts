// Every operation there is. Adding one: its definition in a file beside this, its name here, its twin in agent/operations/.
import { LamplighterError } from '../errors.ts';
import { hintOfNames } from '../runbook/nearest-name.ts';
import { alertAppend } from './alert.ts';
import { backupList, backupRun, restoreForget, restoreKept, restoreRun } from './backup.ts';
import { commandCancel } from './command.ts';
import { dbConnections, dbReady, dbSessions } from './db.ts';
import type { OperationDefinition } from './definition.ts';
import { deployRun } from './deploy.ts';
import { diskClean, diskUsage } from './disk.ts';
import { hostVitals } from './host.ts';
import { jobsReset, jobsStuck } from './jobs.ts';
import { serviceFollow, serviceLogs } from './logs.ts';
import { memoryTop } from './memory.ts';
import {
  serviceConfigtest,
  serviceReload,
  serviceRestart,
  serviceStart,
  serviceStatus,
  serviceStop,
} from './service.ts';
import { stackRestart } from './stack.ts';

export const CATALOGUE: readonly OperationDefinition[] = [
  serviceStatus,
  serviceStart,
  serviceStop,
  serviceRestart,
  serviceReload,
  serviceConfigtest,
  stackRestart,
  serviceLogs,
  serviceFollow,
  hostVitals,
  dbReady,
  dbConnections,
  dbSessions,
  jobsStuck,
  jobsReset,
  diskUsage,
  diskClean,
  memoryTop,
  backupRun,
  backupList,
  restoreRun,
  restoreKept,
  restoreForget,
  deployRun,
  alertAppend,
  commandCancel,
];

export const OPERATION_NAMES: readonly string[] = CATALOGUE.map((operation) => operation.name);

/** The definition with this name, or undefined. */
export function lookUpOperation(name: string): OperationDefinition | undefined {
  return CATALOGUE.find((operation) => operation.name === name);
}

/** The definition with this name; throws `not-found` with the near name. */
export function findOperation(name: string): OperationDefinition {
  const found = lookUpOperation(name);
  if (found) return found;
  throw new LamplighterError('not-found', `find operation ${name}: there is no such operation`, {
    hint: hintOfNames(name, 'Operations', OPERATION_NAMES),
  });
}
