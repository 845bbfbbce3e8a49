// `lamp logs SERVICE -f`: asks for a ticket, meets the agent at the relay, prints lines until either side leaves.

import { ROUTES } from '#shared/api/routes.ts';
import type { CommandView, LiveTicket } from '#shared/api/views.ts';
import { type ErrorCode, LamplighterError } from '#shared/errors.ts';
import { createBackoff } from '#shared/kit/backoff.ts';
import { type ConnectionEnd, dialRelay } from '#shared/kit/relay-dial.ts';
import {
  type EndFrame,
  type EndReason,
  LiveRequest,
  RESUME_GRACE_MS,
  ToViewerFrame,
} from '#shared/live/frames.ts';
import { describeFault } from '#shared/plain-issue.ts';
import { waitForCommand } from '../command/wait-for-command.ts';
import { EXIT } from '../exit.ts';
import { escapeForTerminal } from '../output/escape.ts';
import { toJsonLine } from '../output/json.ts';
import { renderLogLine } from '../output/log-line.ts';
import { quietProgress } from '../output/progress.ts';
import { isLoopback } from '../settings/resolve.ts';
import type { Session } from '../verb.ts';

interface Stream {
  service: string;
  resume: string | undefined;
  next: number;
  end: EndFrame | undefined;
}

const FAILED_ENDS: Partial<Record<EndReason, { code: ErrorCode; why: string; hint: string }>> = {
  'follow-failed': {
    code: 'failed',
    why: 'the journal could not be read',
    hint: '`lamp logs` without -f may say more.',
  },
  'agent-missing': {
    code: 'failed',
    why: 'the host did not come to the relay',
    hint: '`lamp status` shows whether its agent is online.',
  },
  'time-limit': { code: 'timed-out', why: 'an hour is over', hint: 'Run the command again to go on.' },
};

const FIRST_BACKOFF_MS = 250;
const LONGEST_BACKOFF_MS = 4000;

/** Follows a service's journal until Ctrl-C (130), or until the stream ends on its own. */
export async function followLogs(
  session: Session,
  service: string,
  lines: number | undefined,
): Promise<number> {
  const request = LiveRequest.safeParse({ service, ...(lines === undefined ? {} : { lines }) });
  if (!request.success) {
    throw new LamplighterError('invalid-input', `follow logs: ${describeFault(request.error)}`);
  }
  const client = session.client();
  const ticket = await client.call(ROUTES.followLogs, { body: request.data });
  refuseOpenRelay(ticket.url, client.url);
  const stream: Stream = { service, resume: undefined, next: 1, end: undefined };
  // The agent may refuse, or its host be silent: then no line ever comes, and the command's record says why.
  const over = new AbortController();
  const signal = AbortSignal.any([session.io.interrupted, over.signal]);
  const terms = { signal, nowMs: session.io.nowMs };
  const command = waitForCommand(client, ticket.commandId, quietProgress(session.io), terms)
    .then((detail) => detail?.command)
    .catch(() => undefined);
  void command.then((settled) => {
    if (settled && settled.state !== 'succeeded') over.abort();
  });
  await watchUntilEnd(session, ticket, stream, signal);
  if (session.io.interrupted.aborted) return EXIT.interrupted;
  const settled = over.signal.aborted ? await command : undefined;
  over.abort();
  return concludeStream(stream, settled);
}

/** The ticket is a secret for a minute: an API that is reached over https must not send it out in clear. */
function refuseOpenRelay(relay: string, api: string): void {
  const { protocol, hostname, origin } = new URL(relay);
  if (protocol === 'wss:' || !api.startsWith('https:') || isLoopback(hostname)) return;
  throw new LamplighterError('not-allowed', `follow logs: the relay's address ${origin} is not encrypted`, {
    hint: 'The control plane must be given a wss:// address as LIVE_URL.',
  });
}

async function watchUntilEnd(
  { io, isJson, paint }: Session,
  ticket: LiveTicket,
  stream: Stream,
  signal: AbortSignal,
): Promise<void> {
  let lostSinceMs: number | undefined;
  const backoff = createBackoff(FIRST_BACKOFF_MS, LONGEST_BACKOFF_MS);
  const onFrame = (frame: ToViewerFrame) => {
    if (frame.type === 'welcome' && lostSinceMs !== undefined) io.err('connected again\n');
    if (frame.type === 'welcome') {
      lostSinceMs = undefined;
      backoff.reset();
    }
    const text = takeFrame(frame, stream, (line) => (isJson ? toJsonLine(line) : renderLogLine(line, paint)));
    if (text) io.out(text);
    const note = noteOn(frame, stream.service);
    if (note) io.err(paint.dim(`${note}\n`));
  };
  while (!signal.aborted && !stream.end) {
    const end = await watchRelay(ticket, stream, onFrame, signal);
    if (stream.end || signal.aborted || end.how === 'closed') return;
    lostSinceMs ??= sayLost(io, end);
    if (end.how === 'refused' || io.nowMs() - lostSinceMs > RESUME_GRACE_MS) throw lostForGood(stream, end);
    await backoff.pause(signal);
  }
}

/** Connects, passes frames on, and resolves when the connection is over. `signal` closes it politely. */
async function watchRelay(
  ticket: LiveTicket,
  { resume, next }: Stream,
  onFrame: (frame: ToViewerFrame) => void,
  signal: AbortSignal,
): Promise<ConnectionEnd> {
  const url = new URL(ticket.url);
  if (resume) url.searchParams.set('next', String(next));
  const half = resume
    ? { use: 'resume' as const, key: resume }
    : { use: 'ticket' as const, key: ticket.ticket };
  const connection = dialRelay({ url, ...half, frames: ToViewerFrame, onFrame });
  signal.addEventListener('abort', connection.close, { once: true });
  if (signal.aborted) connection.close();
  return await connection.ended.finally(() => signal.removeEventListener('abort', connection.close));
}

function sayLost(io: Session['io'], end: ConnectionEnd): number {
  if (end.how === 'dropped') io.err(`connection lost (${escapeForTerminal(end.why)}), trying again\n`);
  return io.nowMs();
}

/** Notes what the frame says and returns what of it is to be printed; lines that came before are left out. */
function takeFrame(
  frame: ToViewerFrame,
  stream: Stream,
  render: (line: Extract<ToViewerFrame, { type: 'lines' }>['lines'][number]) => string,
): string {
  switch (frame.type) {
    case 'welcome':
      stream.resume = frame.resume;
      return '';
    case 'end':
      stream.end = frame;
      return '';
    case 'peer':
      return '';
    case 'dropped':
      stream.next = Math.max(stream.next, frame.from + frame.count);
      return '';
    case 'lines': {
      const fresh = frame.lines.slice(Math.max(0, stream.next - frame.from));
      stream.next = Math.max(stream.next, frame.from + frame.lines.length);
      return fresh.map(render).join('');
    }
  }
}

function noteOn(frame: ToViewerFrame, service: string): string | undefined {
  if (frame.type === 'dropped') return `… dropped ${frame.count} lines …`;
  if (frame.type === 'peer') {
    return frame.present
      ? `following ${service}; Ctrl-C ends it`
      : 'the host lost its connection; waiting for it to come back';
  }
  return undefined;
}

function lostForGood(stream: Stream, end: ConnectionEnd): LamplighterError {
  if (end.how === 'refused' && (end.status === 401 || end.status === 403)) {
    return new LamplighterError('not-allowed', `follow ${stream.service}: the relay refused the ticket`, {
      hint: 'A ticket is good once, for a minute: run the command again.',
    });
  }
  const why = end.how === 'refused' ? `HTTP ${end.status}` : end.how === 'dropped' ? end.why : 'closed';
  return new LamplighterError('unavailable', `follow ${stream.service}: the relay can't be reached: ${why}`, {
    hint: 'Run the command again; `lamp logs` without -f does not need the relay.',
  });
}

function concludeStream({ service, end }: Stream, settled: CommandView | undefined): number {
  if (settled && settled.state !== 'succeeded') {
    const why = settled.message ?? settled.code ?? 'no reason given';
    const hint = settled.hint === null ? {} : { hint: settled.hint };
    throw new LamplighterError('failed', `follow ${service}: ${settled.state}: ${why}`, hint);
  }
  const failure = end ? FAILED_ENDS[end.reason] : undefined;
  if (!failure) return EXIT.done;
  throw new LamplighterError(failure.code, `follow ${service}: ${end?.detail ?? failure.why}`, {
    hint: failure.hint,
  });
}
