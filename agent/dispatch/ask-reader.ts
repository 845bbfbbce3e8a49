// The agent's side of the reader's socket.
import { createConnection } from 'node:net';
import { LamplighterError } from '#shared/errors.ts';
import { createLineSplitter } from '#shared/lines.ts';
import type { LogLine } from '#shared/operations/logs.ts';
import type { SignedBytes } from '#shared/signing/dsse.ts';
import { MAX_READER_FRAME_BYTES, ReaderFrame } from '../reader/protocol.ts';
import { writeHandover } from '../runner/handover.ts';

type EndFrame = Extract<ReaderFrame, { type: 'end' }>;

const HINT =
  'See `systemctl status lamplighter-read.socket` and the journal of lamplighter-read@*.service on the host.';

function unreachable(detail: string): LamplighterError {
  return new LamplighterError('unavailable', `ask the journal's reader: ${detail}`, { hint: HINT });
}

/** Takes the next frame; true when it was the last. Throws the failure that the reader reports. */
function takeFrame(frame: ReaderFrame, onLine: (line: LogLine) => void): boolean {
  switch (frame.type) {
    case 'line':
      onLine(frame.line);
      return false;
    case 'end':
      return true;
    case 'refused':
      throw new LamplighterError(
        'refused',
        frame.detail,
        frame.hint === undefined ? {} : { hint: frame.hint },
      );
    case 'failed':
      throw new LamplighterError('failed', frame.detail);
  }
}

/**
 * Has the reader read the journal that a signed command is about. Resolves at its end; throws `unavailable` when there is no
 * reader, `refused` or `failed` with what it said, `timed-out` on the signal.
 */
export async function askReader(
  socketPath: string,
  signed: SignedBytes,
  onLine: (line: LogLine) => void,
  signal: AbortSignal,
): Promise<Pick<EndFrame, 'isCut' | 'searched'>> {
  const socket = createConnection(socketPath);
  const stop = (): void => void socket.destroy();
  signal.addEventListener('abort', stop, { once: true });
  if (signal.aborted) stop();
  try {
    socket.write(writeHandover(signed));
    let end: EndFrame | undefined;
    const splitter = createLineSplitter((text) => {
      const frame = parseFrame(text);
      takeFrame(frame, onLine);
      if (frame.type === 'end') end = frame;
    }, MAX_READER_FRAME_BYTES);
    for await (const chunk of socket) {
      if (Buffer.isBuffer(chunk)) splitter.push(chunk);
      if (end) return end;
    }
  } catch (error) {
    if (error instanceof LamplighterError) throw error;
    if (!signal.aborted) throw unreachable(error instanceof Error ? error.message : String(error));
  } finally {
    signal.removeEventListener('abort', stop);
    socket.destroy();
  }
  if (signal.aborted) throw new LamplighterError('timed-out', 'read journal: stopped before the end');
  throw unreachable('the connection ended before the answer did');
}

function parseFrame(text: string): ReaderFrame {
  try {
    return ReaderFrame.parse(JSON.parse(text));
  } catch {
    throw unreachable('its answer has an unknown form');
  }
}
