// service.follow: the journal as it comes, to whoever watches at the live relay.
import { serviceFollow } from '#shared/operations/service.ts';
import { followJournal } from '../host/journal-follow.ts';
import { createLineRedactor } from '../host/redact.ts';
import { streamToRelay } from '../live/stream.ts';
import type { Read } from './twin.ts';

/** Reads of the agent. */
export const reads: Record<string, Read> = {
  [serviceFollow.name]: (spec, { signal }) => {
    const { unit, lines, ticket, relayUrl } = serviceFollow.spec.parse(spec);
    return streamToRelay({
      relayUrl,
      ticket,
      source: (onLine, onEnd) => followJournal({ unit, lines, onLine, onEnd }),
      signal,
      redact: createLineRedactor(),
      nowMs: Date.now,
    });
  },
};
