// Keeps the view up to date until the stack is stopped; on anything but a terminal it says changes as lines.

import { setTimeout as sleep } from 'node:timers/promises';
import { ROUTES } from '#shared/api/routes.ts';
import type { StatusView } from '#shared/api/views.ts';
import { messageOf } from '#shared/errors.ts';
import type { Stack } from './stack.ts';
import { drawFrame, redraw } from './view.ts';

const REFRESH_MS = 1000;
const CLEAR = '\u001b[2J';
/** As wide as the lines of a file are still read. */
const PLAIN_COLUMNS = 100;

/** Shows the stack until `stopped` resolves. */
export async function showLiveView(stack: Stack, isPlain: boolean, stopped: Promise<unknown>): Promise<void> {
  let isStopped = false;
  void stopped.then(() => {
    isStopped = true;
  });
  const show = isPlain ? plainPrinter(stack) : terminalPrinter(stack);
  while (!isStopped) {
    await stack.client
      .call(ROUTES.readStatus, {})
      .then(show, (error: unknown) => console.error(messageOf(error)));
    await Promise.race([sleep(REFRESH_MS), stopped]);
  }
}

function terminalPrinter(stack: Stack): (status: StatusView) => void {
  const { stdout, env } = process;
  const useColour = !env.NO_COLOR;
  let latest: StatusView | undefined;
  const draw = (): void => {
    if (!latest) return;
    // A terminal that does not say its size has what terminals always had.
    const [columns, rows] = [stdout.columns || 80, stdout.rows || 24];
    // The last line stays free: the cursor rests there.
    redraw(stdout, drawFrame({ status: latest, url: stack.url, columns, rows: rows - 1, useColour }));
  };
  // What the old size left behind is wiped away, and the frame drawn for the new one at once.
  stdout.on('resize', () => {
    stdout.write(CLEAR);
    draw();
  });
  stdout.write(CLEAR);
  return (status) => {
    latest = status;
    draw();
  };
}

/** The frame once, then a line for each thing that changed. */
function plainPrinter(stack: Stack): (status: StatusView) => void {
  let known: Map<string, string> | undefined;
  return (status) => {
    const facts = factsOf(status);
    if (!known) {
      const size = { columns: PLAIN_COLUMNS, rows: Infinity };
      console.log(drawFrame({ status, url: stack.url, ...size, useColour: false }).join('\n'));
    }
    for (const [subject, fact] of facts) {
      if (known && known.get(subject) !== fact) console.log(`${status.at.slice(11, 19)}  ${subject} ${fact}`);
    }
    known = facts;
  };
}

function factsOf(status: StatusView): Map<string, string> {
  return new Map([
    ...status.services.map(({ name, activeState }) => [`service ${name}`, activeState] as const),
    ...status.checks.map(({ name, state }) => [`check ${name}`, state] as const),
    ...status.incidents.map(({ id, severity, state }) => [`incident ${id}`, `${severity} ${state}`] as const),
    ...status.commands.map(({ id, operation, state }) => [`command ${operation} ${id}`, state] as const),
    ...(status.lastBackup
      ? [[`backup ${status.lastBackup.id}`, status.lastBackup.proof.state] as const]
      : []),
  ]);
}
