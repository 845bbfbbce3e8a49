// Whether a service works, asked on the host itself: its HTTP answer, its port, or that its unit stays active.
import { createConnection } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { LamplighterError, messageOf } from '#shared/errors.ts';
import type { HealthCheck } from '#shared/runbook/schema.ts';
import { readUnit } from './systemd.ts';

const LOOPBACK = '127.0.0.1';
const ATTEMPT_TIMEOUT_MS = 5000;
const PAUSE_MS = 200;
const ATTEMPTS_PER_LOOK = 5;

/** Waits until a service is healthy. Throws `failed` with the last reason when it is not within its time. */
export async function awaitHealthy(unit: string, health: HealthCheck, signal: AbortSignal): Promise<string> {
  if ('activeForMs' in health) return await staysActive(unit, health.activeForMs, signal);
  const began = Date.now();
  let reason = 'never asked';
  for (let attempt = 1; Date.now() - began < health.withinMs; attempt++) {
    signal.throwIfAborted();
    const problem = await askOnce(health);
    if (problem === undefined) return `healthy after ${Date.now() - began} ms`;
    reason = problem;
    if (attempt % ATTEMPTS_PER_LOOK === 0) await refuseFailed(unit);
    await sleep(PAUSE_MS);
  }
  throw new LamplighterError('failed', `check health of ${unit}: ${reason} for ${health.withinMs} ms`);
}

/** systemd has given the unit up: nothing will come of waiting. */
async function refuseFailed(unit: string): Promise<void> {
  const { activeState, subState } = await readUnit(unit);
  if (activeState === 'failed')
    throw new LamplighterError('failed', `check health of ${unit}: it is ${activeState} (${subState})`);
}

async function staysActive(unit: string, activeForMs: number, signal: AbortSignal): Promise<string> {
  const first = await readUnit(unit);
  const end = Date.now() + activeForMs;
  for (;;) {
    signal.throwIfAborted();
    const now = await readUnit(unit);
    if (now.activeState !== 'active' || now.mainPid !== first.mainPid) {
      throw new LamplighterError(
        'failed',
        `check health of ${unit}: it did not stay active for ${activeForMs} ms (${now.activeState}, ${now.subState})`,
      );
    }
    if (Date.now() >= end) return `active for ${activeForMs} ms`;
    await sleep(PAUSE_MS);
  }
}

/** Why the service does not answer as it should, or undefined when it does. */
async function askOnce(health: Exclude<HealthCheck, { activeForMs: number }>): Promise<string | undefined> {
  if ('tcp' in health) return await connectOnce(health.tcp.port);
  const { port, path, status } = health.http;
  try {
    const response = await fetch(`http://${LOOPBACK}:${port}${path}`, {
      redirect: 'manual',
      signal: AbortSignal.timeout(ATTEMPT_TIMEOUT_MS),
    });
    await response.body?.cancel();
    return response.status === status ? undefined : `status ${response.status}, expected ${status}`;
  } catch (error) {
    const cause = error instanceof Error && error.cause instanceof Error ? error.cause : error;
    return `no answer on port ${port}: ${messageOf(cause)}`;
  }
}

function connectOnce(port: number): Promise<string | undefined> {
  return new Promise((resolve) => {
    const socket = createConnection({ host: LOOPBACK, port, timeout: ATTEMPT_TIMEOUT_MS });
    const end = (problem: string | undefined): void => {
      socket.destroy();
      resolve(problem);
    };
    socket.once('connect', () => end(undefined));
    socket.once('error', (error) => end(`port ${port}: ${error.message}`));
    socket.once('timeout', () => end(`port ${port}: no answer within ${ATTEMPT_TIMEOUT_MS} ms`));
  });
}
