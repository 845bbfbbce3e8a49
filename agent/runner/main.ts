// The runner's entry, root. `run`: one command, handed over on the socket that systemd passed as stdin. `recover`: after a
// runner ended without a report (ExecStopPost=), or at boot, brings what it left to an end.
import { existsSync, mkdirSync, readdirSync, readFileSync } from 'node:fs';
import { Socket } from 'node:net';
import { parseArgs } from 'node:util';
import { CommandEnvelope } from '#shared/command/envelope.ts';
import { messageOf } from '#shared/errors.ts';
import { CommandId } from '#shared/names.ts';
import { keySigner } from '#shared/signing/key-signer.ts';
import { readConfig, readPinnedKeys } from '../config/config.ts';
import { PATHS } from '../config/paths.ts';
import { MAX_HANDOVER_BYTES, parseHandover } from './handover.ts';
import { openLocks } from './locks.ts';
import { admitHandover, carryOut, type HandoverAnswer, type Runner, recover } from './run.ts';
import { readReport, readRun } from './step-record.ts';

const HANDOVER_DEADLINE_MS = 10_000;

function isOver(commandId: string): boolean {
  const id = CommandId.safeParse(commandId);
  return !id.success || readReport(PATHS.runs, id.data) !== undefined;
}

function openRunner(): Runner {
  const { host } = readConfig(PATHS.config);
  mkdirSync(PATHS.runs, { recursive: true, mode: 0o750 });
  return {
    host,
    runsDir: PATHS.runs,
    policyFile: PATHS.policy,
    pinnedKeys: readPinnedKeys(PATHS.pinnedKeys),
    signer: keySigner(readFileSync(PATHS.runnerKey, 'utf8')),
    locks: openLocks(PATHS.locks, isOver),
    clock: () => new Date(),
  };
}

function readLine(socket: Socket): Promise<string> {
  return new Promise((resolve, reject) => {
    let text = '';
    const timer = setTimeout(() => reject(new Error('no hand-over came')), HANDOVER_DEADLINE_MS);
    const settle = (act: () => void): void => {
      clearTimeout(timer);
      act();
    };
    socket.setEncoding('utf8').on('data', (chunk: string) => {
      text += chunk;
      const end = text.indexOf('\n');
      if (end >= 0) settle(() => resolve(text.slice(0, end)));
      else if (text.length > MAX_HANDOVER_BYTES)
        settle(() => reject(new Error('the hand-over is too large')));
    });
    socket.once('end', () => settle(() => reject(new Error('the hand-over ended early'))));
    socket.on('error', (error) => settle(() => reject(error)));
  });
}

function answer(socket: Socket, line: HandoverAnswer): void {
  socket.write(`${JSON.stringify(line)}\n`);
}

async function run(owner: string): Promise<void> {
  const socket = new Socket({ fd: 0, readable: true, writable: true });
  const signed = parseHandover(await readLine(socket));
  const runner = openRunner();
  if (!signed) return answer(socket, { accepted: false, reason: 'malformed', detail: 'not a hand-over' });
  const { answer: line, envelope } = admitHandover(runner, signed, owner);
  answer(socket, line);
  // The agent follows the record, not the socket: it may die without taking the command with it.
  socket.end();
  if (envelope) await carryOut(runner, envelope);
}

function unfinishedRuns(owner: string | undefined): CommandEnvelope[] {
  if (!existsSync(PATHS.runs)) return [];
  return readdirSync(PATHS.runs).flatMap((name) => {
    const id = CommandId.safeParse(name);
    if (!id.success || readReport(PATHS.runs, id.data)) return [];
    const run = readRun(PATHS.runs, id.data);
    if (!run || (owner !== undefined && run.owner !== owner)) return [];
    // Root wrote it after it had verified it; its expiry no longer matters, it has begun.
    return [CommandEnvelope.parse(JSON.parse(Buffer.from(run.signed.payload).toString('utf8')))];
  });
}

async function recoverRuns(owner: string | undefined): Promise<void> {
  const left = unfinishedRuns(owner);
  if (left.length === 0) return;
  const runner = openRunner();
  for (const envelope of left) {
    console.log(
      JSON.stringify({
        msg: 'recovering an interrupted command',
        commandId: envelope.id,
        operation: envelope.operation,
      }),
    );
    await recover(runner, envelope);
  }
}

const { positionals, values } = parseArgs({
  allowPositionals: true,
  options: { instance: { type: 'string' }, all: { type: 'boolean', default: false } },
});
try {
  if (positionals[0] === 'run') await run(values.instance ?? '');
  else if (positionals[0] === 'recover') await recoverRuns(values.all ? undefined : (values.instance ?? ''));
  else throw new Error('usage: runner run|recover [--instance NAME] [--all]');
} catch (error) {
  console.error(JSON.stringify({ msg: 'runner failed', error: messageOf(error) }));
  process.exitCode = 1;
}
