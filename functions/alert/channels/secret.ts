// The secrets of alert channels. The runbook has a secret's name; its value is in CHANNEL_SECRETS, which only `notify` gets.
import { LamplighterError } from '#shared/errors.ts';
import type { Secret } from '#shared/secret.ts';
import type { ChannelDeps } from './channel.ts';

/**
 * Thrown when a channel names a secret that the deployment does not have. A retry would find the same, so the delivery is
 * refused and the next recipients are told. The operator adds the secret, or corrects its name in the runbook.
 */
export class MissingSecret extends LamplighterError {
  constructor(name: string) {
    super('internal', `find secret ${name}: CHANNEL_SECRETS has no secret with this name`, {
      hint: `Add ${name} to CHANNEL_SECRETS and deploy, or name another secret in the runbook's channel.`,
    });
  }
}

/** The secret with this name. Throws MissingSecret. */
export function requireSecret({ config }: Pick<ChannelDeps, 'config'>, name: string): Secret {
  const secret = config.get('CHANNEL_SECRETS').get(name);
  if (!secret) throw new MissingSecret(name);
  return secret;
}
