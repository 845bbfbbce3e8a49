// Checks on the host itself whether a service works: by its HTTP answer, its port, or the state of its unit.
import { createConnection } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { LamplighterError, messageOf } from '#shared/errors.ts';
import type { HealthCheck } from '#shared/runbook/schema.ts';
import { askStatus } from './http-status.ts';
import { readMoment } from './systemd.ts';
import { findUnmetCondition } from './unit-condition.ts';
import { describeMoment, restingStandOf, type UnitMoment } from './unit-stand.ts';

const LOOPBACK = '127.0.0.1';
const ATTEMPT_TIMEOUT_MS = 5000;
const PAUSE_MS = 200;
const ATTEMPTS_PER_LOOK = 5;

type PortCheck = Exclude<HealthCheck, { activeForMs: number }>;

/**
 * Waits until a service is healthy and returns how it is. Throws `failed` with the last reason when it is not within its
 * time.
 */
export async function awaitHealthy(unit: string, health: HealthCheck, signal: AbortSignal): Promise<string> {
  if ('activeForMs' in health) return await staysActive(unit, health.activeForMs, signal);
  const began = Date.now();
  let reason = 'never asked';
  for (let attempt = 1; Date.now() - began < health.withinMs; attempt++) {
    signal.throwIfAborted();
    const problem = await askOnce(health);
    if (problem === undefined) {
      // When the unit is down, another process answered on the port.
      await refuseDown(unit, await readMoment(unit));
      return `healthy after ${Date.now() - began} ms`;
    }
    reason = problem;
    if (attempt % ATTEMPTS_PER_LOOK === 0) refuseFailed(unit, await readMoment(unit));
    await sleep(PAUSE_MS);
  }
  throw new LamplighterError('failed', `check health of ${unit}: ${reason} for ${health.withinMs} ms`);
}

/** systemd has given the unit up: waiting longer would change nothing. */
function refuseFailed(unit: string, moment: UnitMoment): void {
  if (restingStandOf(moment) === 'failed')
    throw new LamplighterError('failed', `check health of ${unit}: the unit is ${describeMoment(moment)}`);
}

/** A condition kept the unit from starting; systemd does not call that a failure. */
async function refuseSkipped(unit: string, moment: UnitMoment): Promise<void> {
  const condition = await findUnmetCondition(unit);
  if (condition === undefined && restingStandOf(moment) !== 'not-started') return;
  const which = condition === undefined ? 'a condition of its unit file' : condition;
  throw new LamplighterError(
    'failed',
    `check health of ${unit}: systemd did not start it: ${which} does not hold`,
    {
      hint: 'Make the condition true, or take it out of the unit file or its drop-ins.',
    },
  );
}

async function refuseDown(unit: string, moment: UnitMoment): Promise<void> {
  refuseFailed(unit, moment);
  const stand = restingStandOf(moment);
  if (stand === 'up' || stand === 'moving') return;
  await refuseSkipped(unit, moment);
  if (stand === 'done') return;
  throw new LamplighterError(
    'failed',
    `check health of ${unit}: something answers, but the unit is ${describeMoment(moment)}`,
  );
}

/** Up, in the same start, for this long; a oneshot that ran and ended well is healthy at once. */
async function staysActive(unit: string, activeForMs: number, signal: AbortSignal): Promise<string> {
  const first = await readMoment(unit);
  const end = Date.now() + activeForMs;
  for (let now = first; ; now = await readMoment(unit)) {
    signal.throwIfAborted();
    refuseFailed(unit, now);
    const stand = restingStandOf(now);
    if (stand !== 'up' && stand !== 'moving') await refuseSkipped(unit, now);
    if (stand === 'done') return 'ran to its end and ended well';
    if (stand !== 'up' || now.invocationId !== first.invocationId) throw notStaying(unit, activeForMs, now);
    if (Date.now() >= end) return `active for ${activeForMs} ms`;
    await sleep(PAUSE_MS);
  }
}

function notStaying(unit: string, activeForMs: number, moment: UnitMoment): LamplighterError {
  const message = `check health of ${unit}: the unit did not stay active for ${activeForMs} ms: ${describeMoment(moment)}`;
  if (restingStandOf(moment) !== 'down' || moment.result !== 'success')
    return new LamplighterError('failed', message);
  const hint = 'The main process ended without an error. A service that is meant to end is Type=oneshot.';
  return new LamplighterError('failed', message, { hint });
}

function targetOf(health: PortCheck): { address: string; port: number } {
  const { address = LOOPBACK, port } = 'tcp' in health ? health.tcp : health.http;
  return { address, port };
}

/** Why the service does not answer as it should, or undefined when it does. */
async function askOnce(health: PortCheck): Promise<string | undefined> {
  const { address, port } = targetOf(health);
  if ('tcp' in health) return await connectOnce(address, port);
  const { path, status: expected } = health.http;
  try {
    const status = await askStatus({ address, port, path }, ATTEMPT_TIMEOUT_MS);
    return status === expected ? undefined : `status ${status}, expected ${expected}`;
  } catch (error) {
    return `no answer on port ${port}: ${messageOf(error)}`;
  }
}

function connectOnce(address: string, port: number): Promise<string | undefined> {
  return new Promise((resolve) => {
    const socket = createConnection({ host: address, port, timeout: ATTEMPT_TIMEOUT_MS });
    const end = (problem: string | undefined): void => {
      socket.destroy();
      resolve(problem);
    };
    socket.once('connect', () => end(undefined));
    socket.once('error', (error) => end(`port ${port}: ${error.message}`));
    socket.once('timeout', () => end(`port ${port}: no answer within ${ATTEMPT_TIMEOUT_MS} ms`));
  });
}
