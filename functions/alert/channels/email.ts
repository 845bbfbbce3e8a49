// Mail over SMTP. The Message-ID comes from the delivery, so that a mail sent twice, after a kill between sending and
// writing it down, is known as one by whoever reads it.
import type { Transporter } from 'nodemailer';
import { z } from 'zod';
import { LamplighterError, messageOf } from '#shared/errors.ts';
import type { Channel } from '#shared/runbook/schema.ts';
import type { Config } from '../../config.ts';
import { oneLine } from '../../one-line.ts';
import { writeMail } from '../mail-text.ts';

import type { Dispatch, SendOutcome } from './channel.ts';

export interface EmailDeps {
  config: Config;
  clock: () => Date;
}

type EmailChannel = Extract<Channel, { kind: 'email' }>;

const CONNECT_TIMEOUT_MS = 10_000;
/** No word from the server for this long; below the lease of a delivery. */
const SILENCE_TIMEOUT_MS = 20_000;

const Failure = z.object({ code: z.string().optional(), responseCode: z.number().optional() });

async function openTransport(url: string): Promise<Transporter> {
  const { createTransport } = await import('nodemailer');
  const timeouts = new URLSearchParams({
    connectionTimeout: String(CONNECT_TIMEOUT_MS),
    greetingTimeout: String(CONNECT_TIMEOUT_MS),
    socketTimeout: String(SILENCE_TIMEOUT_MS),
  });
  return createTransport(`${url}${url.includes('?') ? '&' : '?'}${timeouts}`);
}

/** Sends one mail. Throws `unavailable` when it may work later. */
export async function sendEmail(
  deps: EmailDeps,
  channel: EmailChannel,
  dispatch: Dispatch,
): Promise<SendOutcome> {
  const transport = await openTransport(deps.config.get('SMTP_URL').reveal());
  try {
    const info: unknown = await transport.sendMail(mailOf(deps, channel, dispatch));
    return { state: 'sent', receipt: receiptOf(info) };
  } catch (error) {
    return refusalOf(error, dispatch.delivery.id);
  } finally {
    transport.close();
  }
}

function mailOf({ config }: EmailDeps, channel: EmailChannel, dispatch: Dispatch) {
  const { delivery, alert, incident, runbook } = dispatch;
  const apiUrl = config.get('API_URL');
  const domain = new URL(apiUrl).hostname.replaceAll(/[^a-z0-9.-]/gi, '') || 'lamplighter';
  // All mails of one alert make one thread.
  const thread = `<alert.${alert.id}@${domain}>`;
  return {
    ...writeMail({ alert, event: delivery.event, incident, platform: runbook.name, apiUrl }),
    from: config.get('MAIL_FROM'),
    to: channel.to,
    date: delivery.createdAt,
    messageId: `<delivery.${delivery.id}@${domain}>`,
    references: [thread],
    headers: {
      // RFC 3834: no out-of-office answers.
      'Auto-Submitted': 'auto-generated',
      'X-Lamplighter-Alert': alert.id,
      'X-Lamplighter-Delivery': delivery.id,
    },
    // What is in a mail never makes the mailer read a file or a URL.
    disableFileAccess: true,
    disableUrlAccess: true,
  };
}

const Receipt = z.object({
  response: z.string().default(''),
  accepted: z.array(z.unknown()).default([]),
  rejected: z.array(z.unknown()).default([]),
});

function receiptOf(info: unknown): string {
  const { response, rejected } = Receipt.parse(info);
  const missing = rejected.length > 0 ? `; refused for ${rejected.map(String).join(', ')}` : '';
  return oneLine(`${response}${missing}`);
}

/** RFC 5321: 5yz to the envelope or the message is final. To the log-in it is not: our settings can be mended. */
function refusalOf(error: unknown, deliveryId: string): SendOutcome {
  const { code, responseCode } = Failure.safeParse(error).data ?? {};
  const isAboutMail = code === 'EENVELOPE' || code === 'EMESSAGE';
  if (isAboutMail && responseCode !== undefined && responseCode >= 500) {
    return { state: 'refused', reason: oneLine(messageOf(error)) };
  }
  throw new LamplighterError('unavailable', `send mail ${deliveryId}: ${oneLine(messageOf(error))}`, {
    retryable: true,
    cause: error,
  });
}
