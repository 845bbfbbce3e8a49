// One reading of a journal on one connection: the signed command is verified again, the journal read, and what must not leave
// the host taken out, before the agent sees a line.
import type { KeyObject } from 'node:crypto';
import { once } from 'node:events';
import type { Socket } from 'node:net';
import { admitCommand } from '#shared/command/admit.ts';
import { LamplighterError, messageOf } from '#shared/errors.ts';
import { MAX_LINE_LENGTH } from '#shared/live/frames.ts';
import { type LogLine, serviceFollow, serviceLogs } from '#shared/operations/logs.ts';
import { cutMessage } from '../host/journal-entry.ts';
import { type JournalQuery, readJournal, streamJournal } from '../host/journald.ts';
import { createLineRedactor, hideValues, redact } from '../host/redact.ts';
import { readSecretValues } from '../host/secret-files.ts';
import { readLine } from '../host/socket-line.ts';
import { judgeCommand } from '../policy/judge.ts';
import { loadPolicy } from '../policy/load.ts';
import { MAX_HANDOVER_BYTES, parseHandover } from '../runner/handover.ts';
import { MAX_MESSAGE_LENGTH, MAX_READ_LENGTH, type ReaderFrame } from './protocol.ts';

export interface Reader {
  host: string;
  policyFile: string;
  pinnedKeys: readonly KeyObject[];
  clock: () => Date;
}

type Send = (frame: ReaderFrame) => Promise<void>;

interface Reading {
  query: JournalQuery;
  signal: AbortSignal;
}

/** Serves one connection; resolves when all lines were sent, or the agent has gone. */
export async function serveReading(socket: Socket, reader: Reader): Promise<void> {
  const gone = new AbortController();
  socket.once('close', () => gone.abort());
  const send: Send = async (frame) => {
    if (socket.write(`${JSON.stringify(frame)}\n`)) return;
    // The agent may read slowly: journalctl then waits.
    await once(socket, 'drain', { signal: gone.signal });
  };
  try {
    const signed = await readLine(socket, MAX_HANDOVER_BYTES);
    // Further input is dropped; its end means that the agent wants no more lines.
    socket.resume();
    const reading = admitReading(reader, parseHandover(signed), gone.signal);
    await (reading.query.isFollowed ? giveFollowed(reading, send) : giveNewest(reading, send));
  } catch (error) {
    if (!gone.signal.aborted) await tellFailure(error, send).catch(() => undefined);
  } finally {
    socket.destroySoon();
  }
}

async function tellFailure(error: unknown, send: Send): Promise<void> {
  const detail = redact(messageOf(error));
  if (!(error instanceof LamplighterError) || error.code !== 'refused')
    return await send({ type: 'failed', detail });
  await send({ type: 'refused', detail, ...(error.hint === undefined ? {} : { hint: redact(error.hint) }) });
}

/** What the command lets read, once all of it holds. From here on this process knows what to hide. Throws `refused`. */
function admitReading(
  { host, policyFile, pinnedKeys, clock }: Reader,
  signed: ReturnType<typeof parseHandover>,
  gone: AbortSignal,
): Reading {
  const { policy } = loadPolicy(policyFile, host);
  const { maxClockSkewMs } = policy;
  const admission = admitCommand(signed, {
    hostName: host,
    pinnedKeys,
    nowMs: clock().getTime(),
    maxClockSkewMs,
    // A reading may come twice, since it changes nothing.
    horizonMs: 0,
  });
  if (!admission.admitted) throw new LamplighterError('refused', `read journal: ${admission.detail}`);
  const { envelope } = admission;
  const judgement = judgeCommand(envelope, policy);
  if (!judgement.allowed) throw new LamplighterError('refused', `read journal: ${judgement.refusal.message}`);
  try {
    hideValues(readSecretValues(policy.secretFiles));
  } catch (error) {
    const hint = error instanceof LamplighterError ? error.hint : undefined;
    throw new LamplighterError('refused', messageOf(error), hint === undefined ? {} : { hint });
  }
  const signal = AbortSignal.any([gone, AbortSignal.timeout(envelope.timeoutMs)]);
  return { query: queryOf(envelope.operation, judgement.spec), signal };
}

function queryOf(operation: string, spec: unknown): JournalQuery {
  if (operation === serviceLogs.name) return serviceLogs.spec.parse(spec);
  if (operation !== serviceFollow.name)
    throw new LamplighterError('refused', `read journal: ${operation} reads no journal`);
  const { unit, lines } = serviceFollow.spec.parse(spec);
  return { unit, lines, isFollowed: true };
}

async function giveNewest({ query, signal }: Reading, send: Send): Promise<void> {
  const { lines, isCut, ...search } = await readJournal(query, MAX_MESSAGE_LENGTH, signal);
  const kept = keepNewest(lines);
  for (const line of kept) await send({ type: 'line', line });
  await send({ type: 'end', isCut: isCut || kept.length < lines.length, ...search });
}

/** As many of the newest lines as a report takes. */
function keepNewest(lines: readonly LogLine[]): LogLine[] {
  let length = 0;
  const from = lines.findLastIndex((line) => {
    length += JSON.stringify(line).length;
    return length > MAX_READ_LENGTH;
  });
  return lines.slice(from + 1);
}

async function giveFollowed({ query, signal }: Reading, send: Send): Promise<void> {
  const redactLine = createLineRedactor();
  for await (const { line, goesOn } of streamJournal(query, signal)) {
    const message = cutMessage(redactLine(line.message, goesOn), MAX_LINE_LENGTH);
    await send({ type: 'line', line: { ...line, message } });
  }
}
