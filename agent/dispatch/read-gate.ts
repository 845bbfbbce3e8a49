// How many reads run at once on a host: each may cost a process, and anybody with a viewer's role may ask for many.

export interface ReadLimits {
  atOnce: number;
  /** Of these, reads that last until somebody stops them: they can't take every place. */
  streams: number;
  /** Reads that may wait for a place; the gate turns further ones away. */
  waiting: number;
}

export const READ_LIMITS: ReadLimits = { atOnce: 8, streams: 4, waiting: 32 };

/** Reads that the runner carries out: each is a process of root's, and its socket takes eight connections for everything. */
export const ROOT_READ_LIMITS: ReadLimits = { atOnce: 3, streams: 0, waiting: 32 };

export type ReadKind = 'brief' | 'stream';

export interface ReadGate {
  /** Waits for a place and returns how to give it back; undefined at once when too many wait, or too many streams run. */
  enter(kind: ReadKind): Promise<(() => void) | undefined>;
}

/** A gate with these limits. */
export function createReadGate({ atOnce, streams, waiting }: ReadLimits): ReadGate {
  const queue: (() => void)[] = [];
  let running = 0;
  let runningStreams = 0;

  function take(kind: ReadKind): () => void {
    running += 1;
    if (kind === 'stream') runningStreams += 1;
    let isGiven = false;
    return () => {
      if (isGiven) return;
      isGiven = true;
      running -= 1;
      if (kind === 'stream') runningStreams -= 1;
      queue.shift()?.();
    };
  }

  return {
    enter: (kind) => {
      const hasPlace = running < atOnce && (kind === 'brief' || runningStreams < streams);
      if (hasPlace) return Promise.resolve(take(kind));
      // A stream may last an hour: nobody waits for one.
      if (kind === 'stream' || queue.length >= waiting) return Promise.resolve(undefined);
      return new Promise((resolve) => queue.push(() => resolve(take(kind))));
    },
  };
}
