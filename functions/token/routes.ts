// Tokens: see them, end one. They are made with the database's own credentials alone (admin/): a stolen token must not
// be able to make its successor.
import { ROUTES } from '#shared/api/routes.ts';
import type { Deps } from '../deps.ts';
import { type Served, serve } from '../http/route.ts';
import { listTokens, revokeToken } from '../store/tokens.ts';

/** Routes of tokens. */
export function tokenRoutes({ db, clock }: Pick<Deps, 'db' | 'clock'>): Served[] {
  return [
    serve(ROUTES.listTokens, () => listTokens(db)),
    serve(ROUTES.revokeToken, async ({ params, actor }) => {
      await revokeToken(db, params.name, clock(), `${actor.kind}:${actor.name}`);
      return undefined;
    }),
  ];
}
