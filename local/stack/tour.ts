// The tour: breaks and repairs the platform unattended, and prints each step with its time. Each step is checked against
// the API and the host itself; the first step that fails ends the tour with an error.

import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { readMail } from '#local/cloud/mail/read.ts';
import { breakWeb, dropTable, platformFingerprint } from '#local/demo/platform/story.ts';
import { lookUntil } from '#local/wait.ts';
import { AlertLine } from '#shared/alert/event.ts';
import { ROUTES } from '#shared/api/routes.ts';
import type { StatusView } from '#shared/api/views.ts';
import { LamplighterError } from '#shared/errors.ts';
import type { Stack } from './stack.ts';

export interface TourFigures {
  failureToIncidentS: number;
  failureToMailS: number;
  restartS: number;
  backupS: number;
  restoreS: number;
}

type Say = (text: string) => void;
const TABLE = 'public.readings';
const PATIENCE_MS = 120_000;

/** Waits until `probe` returns a value. Throws `timed-out` naming what did not come. */
async function awaitThat<T>(what: string, probe: () => Promise<T | undefined>): Promise<T> {
  const found = await lookUntil(probe, { withinMs: PATIENCE_MS, everyMs: 500 });
  if (found !== undefined) return found;
  throw new LamplighterError('timed-out', `wait for ${what}: nothing came within ${PATIENCE_MS / 1000} s`);
}

function isAllGreen(status: StatusView): boolean {
  return (
    status.alerts.length === 0 &&
    status.incidents.every((incident) => incident.state === 'resolved') &&
    status.checks.length > 0 &&
    status.checks.every((check) => check.state === 'passing') &&
    status.services.every((service) => service.activeState === 'active') &&
    status.hosts.every((host) => host.online)
  );
}

async function awaitGreen({ client }: Stack): Promise<void> {
  await awaitThat('all services, checks and hosts to be well', async () =>
    isAllGreen(await client.call(ROUTES.readStatus, {})) ? true : undefined,
  );
}

async function awaitMail(stack: Stack, since: number, pattern: RegExp): Promise<string> {
  return await awaitThat(`mail ${pattern}`, async () => {
    const mails = await readMail(stack.home.mail);
    return mails.find((mail) => mail.at.getTime() >= since && pattern.test(mail.subject))?.subject;
  });
}

function readAlertLog(stack: Stack): AlertLine[] {
  const file = join(stack.machine.rootPath, 'opt/app/logs/alerts.jsonl');
  if (!existsSync(file)) return [];
  return readFileSync(file, 'utf8')
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => AlertLine.parse(JSON.parse(line)));
}

async function awaitAlertLine(stack: Stack, since: number, event: AlertLine['event']): Promise<AlertLine> {
  return await awaitThat(`line "${event}" in alerts.jsonl`, () =>
    Promise.resolve(readAlertLog(stack).find((line) => Date.parse(line.at) >= since && line.event === event)),
  );
}

async function runToSuccess(
  { client }: Stack,
  operation: string,
  params: Record<string, unknown>,
): Promise<number> {
  const began = Date.now();
  const command = await client.runCommand({ operation, params });
  if (command.state !== 'succeeded') {
    throw new LamplighterError('failed', `run ${operation}: ${command.state}: ${command.message ?? ''}`);
  }
  return (Date.now() - began) / 1000;
}

async function tellOutage(stack: Stack, say: Say): Promise<Omit<TourFigures, 'backupS' | 'restoreS'>> {
  const brokenAt = Date.now();
  await breakWeb(stack.machine);
  say('broke the platform: app-web was killed, and systemd does not restart it');
  const incident = await awaitThat('incident', async () => {
    const { incidents } = await stack.client.call(ROUTES.readStatus, {});
    return incidents.find(
      (candidate) => candidate.state === 'open' && Date.parse(candidate.openedAt) >= brokenAt,
    );
  });
  const failureToIncidentS = (Date.now() - brokenAt) / 1000;
  if (incident.severity !== 'P1')
    throw new LamplighterError(
      'failed',
      `rate incident ${incident.id}: its severity is ${incident.severity}, expected P1`,
    );
  say(
    `the checks from outside opened incident ${incident.id}: ${incident.severity}, respond by ${incident.respondBy}`,
  );
  const subject = await awaitMail(stack, brokenAt - 1000, /^\[P1\]/);
  const failureToMailS = (Date.now() - brokenAt) / 1000;
  say(`mail sent: ${subject}`);
  await awaitAlertLine(stack, brokenAt - 1000, 'firing');
  say('line "firing" in /opt/app/logs/alerts.jsonl on the host');
  const restartS = await runToSuccess(stack, 'service.restart', { service: 'web' });
  say(`web restarted and healthy in ${restartS.toFixed(1)} s`);
  await awaitMail(stack, brokenAt - 1000, /^\[resolved\]/i);
  await awaitAlertLine(stack, brokenAt - 1000, 'resolved');
  await awaitGreen(stack);
  say('resolved: the mail was sent, alerts.jsonl has its line, and all is green');
  return { failureToIncidentS, failureToMailS, restartS };
}

async function tellLoss(stack: Stack, say: Say): Promise<Pick<TourFigures, 'backupS' | 'restoreS'>> {
  const before = await platformFingerprint(stack.machine);
  const backupS = await runToSuccess(stack, 'backup.run', {});
  say(`backup taken and uploaded in ${backupS.toFixed(1)} s`);
  const backup = await awaitThat('verified backup', async () => {
    const { lastBackup } = await stack.client.call(ROUTES.readStatus, {});
    if (lastBackup?.proof.state === 'corrupt') {
      throw new LamplighterError(
        'corrupt',
        `verify backup ${lastBackup.id}: ${lastBackup.proof.faults.join('; ')}`,
      );
    }
    return lastBackup?.proof.state === 'verified' ? lastBackup : undefined;
  });
  say(`backup ${backup.id} verified: ${backup.tables} tables, ${backup.rows} rows, ${backup.bytes} bytes`);
  await dropTable(stack.machine, TABLE);
  const after = await platformFingerprint(stack.machine);
  if (after.tables[TABLE])
    throw new LamplighterError('failed', `drop table ${TABLE}: the database still has the table`);
  say(`table ${TABLE} dropped: ${before.tables[TABLE]?.rows ?? 0} rows gone`);
  const restoreS = await runToSuccess(stack, 'restore.run', { backup: backup.id, confirm: backup.database });
  const restored = await platformFingerprint(stack.machine);
  const lost = before.tables[TABLE];
  const back = restored.tables[TABLE];
  if (!lost || !back || back.rows !== lost.rows || back.checksum !== lost.checksum) {
    throw new LamplighterError(
      'failed',
      `compare table ${TABLE} before and after the restore: ${JSON.stringify({ before: lost, after: back })}`,
    );
  }
  say(`restored in ${restoreS.toFixed(1)} s: ${back.rows} rows, checksum ${back.checksum} as before`);
  await awaitGreen(stack);
  say('all green');
  return { backupS, restoreS };
}

/** Plays the tour on a running stack. Throws at the first step that fails. */
export async function playTour(stack: Stack, say: Say): Promise<TourFigures> {
  await awaitGreen(stack);
  say('all green: the services are active, the checks pass, the host sends heartbeats');
  const outage = await tellOutage(stack, say);
  const loss = await tellLoss(stack, say);
  return { ...outage, ...loss };
}
