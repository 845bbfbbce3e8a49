// Incoming messages: verified, found to be new or known, and made durable before they are acknowledged.
import type { KeyObject } from 'node:crypto';
import { type Admission, admitCommand } from '#shared/command/admit.ts';
import type { CommandEnvelope } from '#shared/command/envelope.ts';
import type { SignedBytes } from '#shared/signing/dsse.ts';
import { fromWire } from '#shared/signing/message.ts';
import type { Inbound } from '../cloud/pubsub.ts';
import type { Journal } from '../journal/journal.ts';
import type { ReportWriter } from '../outbox/write-report.ts';

export interface InboxOptions {
  host: string;
  pinnedKeys: readonly KeyObject[];
  maxClockSkewMs: () => number;
  journal: Journal;
  reports: ReportWriter;
  clock: () => Date;
  /** Called when a report was queued. */
  onQueued(): void;
  /** Called when a new command stands in the journal. */
  onCommand(envelope: CommandEnvelope, signed: SignedBytes): void;
}

/** Takes one message. When this resolves, the message may be acknowledged: what it asked is durable, or was refused. */
export type TakeMessage = (message: Inbound) => Promise<void>;

/** An inbox for this host. */
export function createInbox(options: InboxOptions): TakeMessage {
  const { journal, clock, onQueued } = options;
  return async (message) => {
    const signed = fromWire(message.data, message.attributes);
    const admission = admitCommand(signed, {
      hostName: options.host,
      pinnedKeys: options.pinnedKeys,
      nowMs: clock().getTime(),
      maxClockSkewMs: options.maxClockSkewMs(),
      horizonMs: journal.horizonMs(),
    });
    if (admission.admitted && signed) await take(options, admission.envelope, signed, message);
    else if (!admission.admitted) await refuse(options, admission, signed, message);
    journal.prune(KEEP_MS);
    onQueued();
  };
}

/** Longer than an envelope can be valid, so that no command can be replayed after it was forgotten. */
const KEEP_MS = 7 * 24 * 60 * 60 * 1000;

async function take(
  options: InboxOptions,
  envelope: CommandEnvelope,
  signed: SignedBytes,
  message: Inbound,
): Promise<void> {
  const { journal, reports, clock } = options;
  const accepted = await reports.write({ type: 'command.accepted', commandId: envelope.id });
  const acceptance = journal.accept(envelope.id, signed, accepted, clock().getTime());
  if (acceptance === 'accepted') return options.onCommand(envelope, signed);
  // Finished: its result is sent again. Still running: its result will come. Nothing is run again.
  if (acceptance === 'duplicate') return void journal.repeatResult(envelope.id);
  const detail = `command ${envelope.id} was here before with other bytes`;
  journal.enqueue(
    await reports.write({
      type: 'envelope.refused',
      reason: 'id-reused',
      detail,
      messageId: message.messageId,
      commandId: envelope.id,
    }),
  );
}

async function refuse(
  options: InboxOptions,
  { reason, detail, envelope }: Extract<Admission, { admitted: false }>,
  signed: SignedBytes | undefined,
  message: Inbound,
): Promise<void> {
  const { journal, reports, clock } = options;
  // Delivered again after it expired: it was accepted in time.
  if (envelope && signed && journal.has(envelope.id, signed)) return void journal.repeatResult(envelope.id);
  const commandId = envelope && { commandId: envelope.id };
  journal.enqueue(
    await reports.write({
      type: 'envelope.refused',
      reason,
      detail,
      messageId: message.messageId,
      ...commandId,
    }),
  );
  if (reason !== 'expired' || !envelope || !signed) return;
  const finished = await reports.write({
    type: 'command.finished',
    commandId: envelope.id,
    state: 'expired',
    code: 'expired',
    message: `${detail}; the host did not get it in time`,
    steps: [],
  });
  const now = clock().getTime();
  if (journal.accept(envelope.id, signed, undefined, now) === 'accepted')
    journal.finish(envelope.id, finished, now);
}
