// The parameters that a webhook's caller may choose: only values from the runbook's lists.
import type { Webhook } from '#shared/runbook/schema.ts';
import { canonicalJson } from '../store/json.ts';

export type ParamsMatch = { ok: true } | { ok: false; reason: string };

function isChoice(choices: readonly unknown[] | undefined, value: unknown): boolean {
  return choices?.some((choice) => choice === value) ?? false;
}

/** All parameters of a call: the fixed ones, and the chosen ones, each checked against its list. */
export function chooseWebhookParams(
  webhook: Webhook,
  chosen: Record<string, unknown>,
): { ok: true; params: Record<string, unknown> } | { ok: false; reason: string } {
  for (const [name, value] of Object.entries(chosen)) {
    const choices = Object.hasOwn(webhook.choose, name) ? webhook.choose[name] : undefined;
    if (!choices) return { ok: false, reason: `parameter ${name} can't be chosen` };
    if (!isChoice(choices, value)) {
      return { ok: false, reason: `parameter ${name} must be one of ${choices.join(', ')}` };
    }
  }
  return { ok: true, params: { ...chosen, ...webhook.params } };
}

/** Whether a call of the webhook could still have these stored parameters. */
export function matchWebhookParams(webhook: Webhook, params: Record<string, unknown>): ParamsMatch {
  for (const [name, value] of Object.entries(params)) {
    const isFixed =
      Object.hasOwn(webhook.params, name) && canonicalJson(webhook.params[name]) === canonicalJson(value);
    const isChosen = Object.hasOwn(webhook.choose, name) && isChoice(webhook.choose[name], value);
    if (!isFixed && !isChosen) return { ok: false, reason: `the webhook does not allow this ${name}` };
  }
  return { ok: true };
}
