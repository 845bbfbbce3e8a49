// The only two routes that need no token. A webhook authenticates by its own signature.
import { ROUTES } from '#shared/api/routes.ts';
import type { Deps } from '../deps.ts';
import type { PublicServed } from '../http/route.ts';
import { findSigningKey, handleWebhook } from './webhook.ts';

/** Routes without a token. */
export function publicRoutes(
  deps: Pick<Deps, 'config' | 'db' | 'clock' | 'log' | 'signCommand'>,
): PublicServed[] {
  return [
    {
      route: ROUTES.readHealth,
      proofOf: () => ({ isProven: true }),
      handle: () => Promise.resolve({ ok: true }),
    },
    {
      route: ROUTES.callWebhook,
      proofOf: (context) => {
        const key = findSigningKey(deps, context);
        return key === undefined ? { isProven: false } : { isProven: true, actor: `webhook-key:${key}` };
      },
      handle: (context) => handleWebhook(deps, context),
    },
  ];
}
