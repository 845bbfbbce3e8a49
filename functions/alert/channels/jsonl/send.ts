// A line in the alert log on the host, written by the agent: a signed command like any other. The line is delivered when
// its command has ended well (conclude-line.ts); the host appends each line once, by its id, however many commands ask for it.
import type { AlertLine } from '#shared/alert/event.ts';
import { LamplighterError } from '#shared/errors.ts';
import { type CommandId, HostName } from '#shared/names.ts';
import { alertAppend } from '#shared/operations/alert.ts';
import type { CommandOrder } from '../../../command/request.ts';
import { incidentName } from '../../../incident/name.ts';
import { oneLine } from '../../../one-line.ts';
import { checkOf } from '../../condition.ts';
import { summaryOf } from '../../text.ts';
import type { Dispatch, SendOutcome } from '../channel.ts';

/** Asks for a command. */
export type RequestCommand = (order: CommandOrder) => Promise<{ id: CommandId; host: string }>;

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

/** Asks for the line to be appended. Throws what may work later. */
export async function sendLine(
  requestCommand: RequestCommand,
  channel: string,
  dispatch: Dispatch,
): Promise<SendOutcome> {
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
