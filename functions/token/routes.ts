// Tokens: see them, end one. They are made with the database's own credentials alone (admin/): a stolen token must not
// be able to make its successor.
import type { Deps } from '../deps.ts';
import type { Route } from '../http/route.ts';
import { listTokens, revokeToken } from '../store/tokens.ts';

/** Routes of tokens. */
export function tokenRoutes(deps: Pick<Deps, 'db' | 'clock'>): Route[] {
  return [
    {
      method: 'GET',
      path: '/v1/tokens',
      role: 'admin',
      handle: async () => ({ body: await listTokens(deps.db) }),
    },
    {
      method: 'POST',
      path: '/v1/tokens/:name/revoke',
      role: 'admin',
      async handle({ params: { name = '' }, actor }) {
        await revokeToken(deps.db, name, deps.clock(), `${actor.kind}:${actor.name}`);
        return {};
      },
    },
  ];
}
