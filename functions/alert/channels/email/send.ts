// Mail over SMTP, to one recipient at a time. The Message-ID comes from the delivery, so that a mail sent twice, after a kill between sending and
// writing it down, is known as one by whoever reads it.
import type { Transporter } from 'nodemailer';
import * as z from 'zod';
import { LamplighterError, messageOf } from '#shared/errors.ts';
import type { Channel } from '#shared/runbook/schema.ts';
import { oneLine } from '../../../one-line.ts';
import { writeMail } from '../../mail-text.ts';
import type { ChannelDeps, ChannelKind, Dispatch, SendOutcome } from '../channel.ts';
import { requireSecret } from '../secret.ts';
import { isAddressDead } from './smtp-refusal.ts';

type EmailChannel = Extract<Channel, { kind: 'email' }>;

const CONNECT_TIMEOUT_MS = 10_000;
/** No word from the server for this long; below the lease of a delivery. */
const SILENCE_TIMEOUT_MS = 20_000;

async function openTransport(url: string): Promise<Transporter> {
  const { createTransport } = await import('nodemailer');
  const timeouts = new URLSearchParams({
    connectionTimeout: String(CONNECT_TIMEOUT_MS),
    greetingTimeout: String(CONNECT_TIMEOUT_MS),
    socketTimeout: String(SILENCE_TIMEOUT_MS),
  });
  return createTransport(`${url}${url.includes('?') ? '&' : '?'}${timeouts}`);
}

/** Mail to people; each address has retries of its own. Throws `unavailable` when a retry may work. */
export const email: ChannelKind<EmailChannel> = {
  isLog: false,
  recipientsOf: ({ to }) => [...new Set(to)],
  send: sendEmail,
};

async function sendEmail(deps: ChannelDeps, channel: EmailChannel, dispatch: Dispatch): Promise<SendOutcome> {
  const { recipient } = dispatch.delivery;
  if (!channel.to.includes(recipient)) {
    return { state: 'withdrawn', reason: `the runbook no longer names ${recipient} in this channel` };
  }
  const transport = await openTransport(requireSecret(deps, channel.secret).reveal());
  try {
    const info: unknown = await transport.sendMail(mailOf(deps, channel, dispatch));
    return { state: 'delivered', receipt: oneLine(Receipt.parse(info).response) };
  } catch (error) {
    if (isAddressDead(error)) return { state: 'refused', reason: oneLine(messageOf(error)) };
    const message = `send mail ${dispatch.delivery.id}: ${oneLine(messageOf(error))}`;
    throw new LamplighterError('unavailable', message, { retryable: true, cause: error });
  } finally {
    transport.close();
  }
}

function mailOf({ config }: ChannelDeps, channel: EmailChannel, dispatch: Dispatch) {
  const { delivery, alert, incident, runbook } = dispatch;
  const apiUrl = config.get('API_URL');
  const domain = new URL(apiUrl).hostname.replaceAll(/[^a-z0-9.-]/gi, '') || 'lamplighter';
  // All mails of one alert make one thread.
  const thread = `<alert.${alert.id}@${domain}>`;
  return {
    ...writeMail({ alert, event: delivery.event, note: delivery.note, incident, platform: runbook.name }),
    from: config.get('MAIL_FROM'),
    // All are named, so that each sees who else was told; this mail goes to one of them.
    to: channel.to,
    envelope: { from: config.get('MAIL_FROM'), to: [delivery.recipient] },
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

const Receipt = z.lazy(() => z.object({ response: z.string().default('') }));
