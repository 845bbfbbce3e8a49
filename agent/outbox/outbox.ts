// Sends the reports of the journal, oldest first, until Pub/Sub has taken them; a broken connection only delays them.
import { messageOf } from '#shared/errors.ts';
import { createBackoff } from '#shared/kit/backoff.ts';
import { createBell } from '#shared/kit/bell.ts';
import { withinMs } from '#shared/kit/deadline.ts';
import { toWire, type WireMessage } from '#shared/signing/message.ts';
import type { Journal, OutgoingReport, QueuedReport } from '../journal/journal.ts';

export interface Outbox {
  /** Call it when a report was queued. */
  wake(): void;
  /** Sends a report once and does not keep it: a heartbeat is out of date when it can't be sent now. */
  sendOnce(report: OutgoingReport): Promise<void>;
  close(): Promise<void>;
}

export interface OutboxOptions {
  journal: Journal;
  host: string;
  publish(message: WireMessage): Promise<void>;
  onTrouble(message: string): void;
}

const BATCH = 20;
const MIN_BACKOFF_MS = 500;
const MAX_BACKOFF_MS = 15_000;
/** The next agent sends what is not sent by then: it stands in the journal. */
const CLOSE_WITHIN_MS = 5000;

function dress(host: string, report: OutgoingReport): WireMessage {
  return toWire('report', report.signed, {
    id: report.eventId,
    source: `//lamplighter/hosts/${host}`,
    type: report.eventType,
    time: new Date().toISOString(),
    subject: report.subject,
  });
}

/** Starts sending. */
export function startOutbox({ journal, host, publish, onTrouble }: OutboxOptions): Outbox {
  const stop = new AbortController();
  const queued = createBell();
  const sendInOrder = async (reports: readonly QueuedReport[]): Promise<void> => {
    for (const report of reports) {
      await publish(dress(host, report));
      journal.sent(report.seq);
    }
  };
  const sendBatch = async (): Promise<boolean> => {
    const batch = journal.queued(BATCH);
    // Reports about one command go in their order; commands do not wait for each other.
    const bySubject = Map.groupBy(batch, ({ subject }) => subject);
    const outcomes = await Promise.allSettled([...bySubject.values()].map(sendInOrder));
    const failed = outcomes.find((outcome) => outcome.status === 'rejected');
    if (failed) throw failed.reason;
    return batch.length > 0;
  };
  const run = async (): Promise<void> => {
    const backoff = createBackoff(MIN_BACKOFF_MS, MAX_BACKOFF_MS);
    while (!stop.signal.aborted) {
      try {
        if (!(await sendBatch())) await queued.wait(stop.signal);
        backoff.reset();
      } catch (error) {
        onTrouble(`send reports: ${messageOf(error)}`);
        await backoff.pause(stop.signal);
      }
    }
  };
  const running = run();
  return {
    wake: queued.ring,
    sendOnce: (report) => publish(dress(host, report)),
    close: async () => {
      stop.abort();
      await withinMs(CLOSE_WITHIN_MS, running).catch(() => undefined);
    },
  };
}
