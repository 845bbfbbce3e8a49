// The parts that were started, in order, so that they are stopped in the reverse order, also after a start that failed.
import { messageOf } from '#shared/errors.ts';

export interface Closing {
  add(name: string, close: () => Promise<void> | void): void;
  /** Waits for a part to be started, and adds it. */
  open<Part extends { close(): Promise<void> | void }>(name: string, starting: Promise<Part>): Promise<Part>;
  /** Stops every part, newest first; after a failure, which is reported, the rest is stopped too. Safe to call twice. */
  closeAll(onFailure: (name: string, message: string) => void): Promise<void>;
}

/** An empty list of things to stop. */
export function createClosing(): Closing {
  const entries: { name: string; close: () => Promise<void> | void }[] = [];
  let closing: Promise<void> | undefined;
  const closeEach = async (onFailure: (name: string, message: string) => void): Promise<void> => {
    for (let entry = entries.pop(); entry; entry = entries.pop()) {
      const { name, close } = entry;
      try {
        await close();
      } catch (error) {
        onFailure(name, messageOf(error));
      }
    }
  };
  const add: Closing['add'] = (name, close) => {
    entries.push({ name, close });
  };
  return {
    add,
    open: async (name, starting) => {
      const part = await starting;
      add(name, () => part.close());
      return part;
    },
    closeAll: (onFailure) => {
      closing ??= closeEach(onFailure);
      return closing;
    },
  };
}
