// Lists and revokes tokens. Only the database's own credentials make tokens (admin/): a stolen token must not be able to make
// another.
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
