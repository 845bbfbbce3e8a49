// The only two routes that need no token. A webhook authenticates by its own signature.
import type { Deps } from '../deps.ts';
import type { PublicRoute } from './route.ts';
import { handleWebhook, isSignedCall } from './webhook.ts';

/** Routes without a token. */
export function publicRoutes(
  deps: Pick<Deps, 'config' | 'db' | 'clock' | 'log' | 'signCommand'>,
): PublicRoute[] {
  return [
    {
      method: 'GET',
      path: '/v1/health',
      isProven: () => true,
      handle: () => Promise.resolve({ body: { ok: true } }),
    },
    {
      method: 'POST',
      path: '/v1/webhooks/:name',
      isProven: (context) => isSignedCall(deps, context),
      handle: (context) => handleWebhook(deps, context),
    },
  ];
}
