// Ends the agent: on a signal, or when the process that started it is gone. Whatever the agent is doing, it ends within
// seconds: what was not sent stands in the journal, and the next agent sends it.

/** Longer than any answer takes that comes at all; systemd and the local supervisor wait longer before they kill. */
const FAREWELL_MS = 5000;
const PARENT_LOOK_MS = 1000;
/** systemd's children have this parent for good; a parent that ends hands its children to another process. */
const INIT_PID = 1;

/** A signal that is aborted when the agent is to end; some time after that the process is gone, done or not. */
export function listenForEnd(): AbortSignal {
  const stop = new AbortController();
  for (const signal of ['SIGTERM', 'SIGINT'] as const) process.once(signal, () => stop.abort());
  const parent = process.ppid;
  const look = setInterval(() => {
    if (parent !== INIT_PID && process.ppid !== parent) stop.abort();
  }, PARENT_LOOK_MS);
  look.unref();
  stop.signal.addEventListener(
    'abort',
    () => {
      clearInterval(look);
      setTimeout(() => process.exit(0), FAREWELL_MS).unref();
    },
    { once: true },
  );
  return stop.signal;
}
