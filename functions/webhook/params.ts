// The parameters that a webhook's caller may choose: only values from the runbook's lists.
import { LamplighterError } from '#shared/errors.ts';
import { lookUp } from '#shared/look-up.ts';
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
    const choices = lookUp(webhook.choose, name);
    if (!choices) return { ok: false, reason: `parameter ${name} can't be chosen` };
    if (!isChoice(choices, value)) {
      return { ok: false, reason: `parameter ${name} must be one of ${choices.join(', ')}` };
    }
  }
  return { ok: true, params: { ...chosen, ...webhook.params } };
}

/**
 * Whether a call of the webhook could still have these stored parameters. `storedOf` gives a call's parameters as they are
 * stored: with defaults, and names as the runbook has them.
 */
export function matchWebhookParams(
  { params: fixed, choose }: Webhook,
  stored: Record<string, unknown>,
  storedOf: (call: Record<string, unknown>) => Record<string, unknown>,
): ParamsMatch {
  const isAllowed = (name: string): boolean => {
    const { [name]: value, ...others } = stored;
    const calls = Object.hasOwn(fixed, name)
      ? [{ ...others, [name]: fixed[name] }]
      : [others, ...(lookUp(choose, name) ?? []).map((choice) => ({ ...others, [name]: choice }))];
    return calls.some((call) => isAsStored(() => storedOf(call)[name], value));
  };
  const other = [...Object.keys(fixed), ...Object.keys(stored)].find((name) => !isAllowed(name));
  return other === undefined
    ? { ok: true }
    : { ok: false, reason: `the webhook does not allow this ${other}` };
}

/** False also for a call that is not valid: one without a parameter that has no default. */
function isAsStored(read: () => unknown, value: unknown): boolean {
  try {
    return canonicalJson(read() ?? null) === canonicalJson(value ?? null);
  } catch (error) {
    if (error instanceof LamplighterError) return false;
    throw error;
  }
}
