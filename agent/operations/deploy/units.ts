// The services that run from a deployment: restarted on the new release, or put back as they were.
import { OperationFailure } from '#shared/command/operation-failure.ts';
import { messageOf } from '#shared/errors.ts';
import type { DeployedService } from '#shared/operations/deploy.ts';
import { awaitHealthy } from '../../host/health.ts';
import { controlUnit, readMoment } from '../../host/systemd.ts';
import { restingStandOf } from '../../host/unit-stand.ts';
import type { StepContext } from '../../runner/step.ts';
import { testConfiguration } from '../service/config-test.ts';
import { failWithJournal } from '../service/fail-with-journal.ts';
import type { UnitBefore } from './options.ts';

/** Only for units without a limit in systemd: systemd's own limits come first. */
const UNIT_TIMEOUT_MS = 30 * 60_000;

/** What the units are at now. Throws `unknown-unit` for one that systemd does not know. */
export async function readUnitsBefore(services: readonly DeployedService[]): Promise<UnitBefore[]> {
  const units: UnitBefore[] = [];
  for (const { unit } of services) {
    const moment = await readMoment(unit);
    if (moment.loadState !== 'loaded') {
      const message = `find unit ${unit}: systemd says ${moment.loadState}`;
      throw new OperationFailure('unknown-unit', 'not-found', message);
    }
    const stand = restingStandOf(moment);
    units.push({ unit, invocationId: moment.invocationId, wasUp: stand === 'up' || stand === 'moving' });
  }
  return units;
}

/**
 * Restarts them in their order, each until it is healthy, once the configuration of all is tested. Throws at the first that is
 * not, with its journal.
 */
export async function restartUnits(
  services: readonly DeployedService[],
  { policy, signal, note }: Pick<StepContext, 'policy' | 'signal' | 'note'>,
): Promise<void> {
  for (const { unit } of services) await testConfiguration(unit, policy, signal);
  for (const { unit, health } of services) {
    await controlUnit('restart', unit, UNIT_TIMEOUT_MS, signal).catch((thrown: unknown) =>
      failWithJournal(unit, 'step-failed', thrown),
    );
    const how = await awaitHealthy(unit, health, signal).catch((thrown: unknown) =>
      failWithJournal(unit, 'unhealthy', thrown),
    );
    note(`${unit} restarted, ${how}`);
  }
}

async function putUnitBack(
  { unit, health }: DeployedService,
  before: UnitBefore | undefined,
  signal: AbortSignal,
): Promise<void> {
  const moment = await readMoment(unit);
  const stand = restingStandOf(moment);
  if (before && !before.wasUp) {
    if (stand === 'up' || stand === 'moving') await controlUnit('stop', unit, UNIT_TIMEOUT_MS, signal);
    return;
  }
  // Never touched: the start that ran before runs still.
  if (stand === 'up' && moment.invocationId === before?.invocationId) return;
  await controlUnit('restart', unit, UNIT_TIMEOUT_MS, signal);
  await awaitHealthy(unit, health, signal);
}

/** Puts them back as they were, on whatever the link leads to now. All are tried; throws with those that are not. */
export async function putUnitsBack(
  services: readonly DeployedService[],
  before: readonly UnitBefore[],
  signal: AbortSignal,
): Promise<void> {
  const failures: string[] = [];
  for (const service of services) {
    const was = before.find(({ unit }) => unit === service.unit);
    await putUnitBack(service, was, signal).catch((error: unknown) => {
      failures.push(messageOf(error));
    });
  }
  if (failures.length > 0) throw new OperationFailure('unhealthy', 'failed', failures.join('; '));
}
