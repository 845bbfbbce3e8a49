// A line in the alert log on the host, written by the agent: a signed command like any other. The line is delivered when
// its command has ended well (conclude-line.ts); the host appends each line once, by its id, however many commands ask for it.
import type { AlertLine } from '#shared/alert/event.ts';
import { LamplighterError } from '#shared/errors.ts';
import { HostName } from '#shared/names.ts';
import { alertAppend } from '#shared/operations/alert.ts';
import type { Channel } from '#shared/runbook/schema.ts';
import type { RequestCommand } from '../../../command/request.ts';
import { incidentName } from '../../../incident/name.ts';
import { oneLine } from '../../../one-line.ts';
import { checkOf } from '../../condition.ts';
import { summaryOf } from '../../text.ts';
import type { ChannelKind, Dispatch, SendOutcome } from '../channel.ts';

/** The line; the same for the same delivery, however often it is written. */
function alertLine({ alert, delivery }: Dispatch): AlertLine {
  const check = checkOf(alert);
  return {
    id: delivery.id,
    at: delivery.createdAt.toISOString(),
    event: delivery.event,
    level: alert.level,
    severity: alert.severity,
    kind: alert.kind,
    host: HostName.parse(alert.host),
    ...(check === undefined ? {} : { check }),
    ...(alert.service === null ? {} : { service: alert.service }),
    summary: summaryOf(alert, delivery.event, delivery.note),
    ...(alert.incident === null ? {} : { incident: incidentName(alert.incident) }),
  };
}

/** A command that ended without the line gives way to another; until then every attempt means the same one. */
function idempotencyKeyOf({ id, lostCommands }: Dispatch['delivery']): string {
  return lostCommands === 0 ? id : `${id}:${lostCommands}`;
}

/** A log on the host. `send` asks for the line to be appended. */
export const jsonl: ChannelKind<Extract<Channel, { kind: 'jsonl' }>> = {
  isLog: true,
  recipientsOf: () => [''],
  send: ({ requestCommand }, _channel, dispatch) => sendLine(requestCommand, dispatch),
};

async function sendLine(requestCommand: RequestCommand, dispatch: Dispatch): Promise<SendOutcome> {
  const { channel } = dispatch.delivery;
  try {
    const { id, host } = await requestCommand({
      operation: alertAppend.name,
      params: { channel, alert: alertLine(dispatch) },
      actor: { kind: 'channel', name: channel, role: 'responder' },
      dryRun: false,
      idempotencyKey: idempotencyKeyOf(dispatch.delivery),
    });
    return { state: 'sent', commandId: id, receipt: `command ${id} to ${host}` };
  } catch (error) {
    if (!(error instanceof LamplighterError) || error.retryable || !FINAL.has(error.code)) throw error;
    return { state: 'refused', reason: oneLine(error.message) };
  }
}

const FINAL = new Set(['not-found', 'invalid-input', 'not-allowed', 'conflict']);
