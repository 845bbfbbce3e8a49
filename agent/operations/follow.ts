// service.follow: the journal as it comes, to whoever watches at the live relay.
import { messageOf } from '#shared/errors.ts';
import { serviceFollow } from '#shared/operations/service.ts';
import { PATHS } from '../config/paths.ts';
import { askReader } from '../dispatch/ask-reader.ts';
import { type LineSource, streamToRelay } from '../live/stream.ts';
import type { Read } from './twin.ts';

/** The reader's lines as a source for the relay. */
function followThrough(signed: Parameters<typeof askReader>[1]): LineSource {
  return (onLine, onEnd) => {
    const stop = new AbortController();
    const over = askReader(PATHS.readerSocket, signed, onLine, stop.signal).then(
      () => onEnd('the journal ended'),
      (error: unknown) => {
        if (!stop.signal.aborted) onEnd(messageOf(error));
      },
    );
    return {
      stop: async () => {
        stop.abort();
        await over;
      },
    };
  };
}

/** Reads of the agent. */
export const reads: Record<string, Read> = {
  [serviceFollow.name]: (spec, { signal, signed }) => {
    const { ticket, relayUrl } = serviceFollow.spec.parse(spec);
    return streamToRelay({ relayUrl, ticket, source: followThrough(signed), signal, nowMs: Date.now });
  },
};
