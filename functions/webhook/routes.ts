// The only two routes that need no token. A webhook authenticates by its own signature.
import type { Deps } from '../deps.ts';
import type { PublicRoute } from '../http/route.ts';
import { findSigningKey, handleWebhook } from './webhook.ts';

/** Routes without a token. */
export function publicRoutes(
  deps: Pick<Deps, 'config' | 'db' | 'clock' | 'log' | 'signCommand'>,
): PublicRoute[] {
  return [
    {
      method: 'GET',
      path: '/v1/health',
      proofOf: () => ({ isProven: true }),
      handle: () => Promise.resolve({ body: { ok: true } }),
    },
    {
      method: 'POST',
      path: '/v1/webhooks/:name',
      proofOf: (context) => {
        const key = findSigningKey(deps, context);
        return key === undefined ? { isProven: false } : { isProven: true, actor: `webhook-key:${key}` };
      },
      handle: (context) => handleWebhook(deps, context),
    },
  ];
}
