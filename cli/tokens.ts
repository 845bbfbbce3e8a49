// `lamp tokens`: see them, end one. They are made with the database's owner's login alone (`npm run admin`): a stolen token
// must not be able to make its successor.

import type { Command } from 'commander';
import { ROUTES } from '#shared/api/routes.ts';
import type { TokenView } from '#shared/api/views.ts';
import { EXIT } from './exit.ts';
import { escapeForTerminal } from './output/escape.ts';
import { toJsonText } from './output/json.ts';
import { formatAge, formatSpan } from './output/quantity.ts';
import { type Cell, renderTable } from './output/table.ts';
import { addExamples, type Bind, type Session } from './verb.ts';
import { printList, type ViewContext } from './view.ts';

export function define(command: Command, bind: Bind): void {
  command
    .description(
      'List the tokens that are in force, with their roles, expiry, limits and last use. Requires the role admin.\n\nTokens are made with `npm run admin -- create-token NAME ROLE`.',
    )
    .option('--all', 'list revoked and expired tokens, too')
    .action(bind(list));
  command
    .command('revoke')
    .description('End a token at once and for good')
    .argument('<name>', "the token's name, as `lamp tokens` lists it")
    .action(bind(revoke));
  addExamples(command, 'lamp tokens', 'lamp tokens revoke laptop');
}

async function list(session: Session, { all }: { all?: boolean }): Promise<number> {
  const tokens = await session.client().call(ROUTES.listTokens, {});
  const now = session.io.nowMs();
  const isInForce = ({ revokedAt, expiresAt }: TokenView): boolean =>
    revokedAt === null && Date.parse(expiresAt) > now;
  const shown = all ? tokens : tokens.filter(isInForce);
  return printList(session, shown, renderTokens, all ? 'No token so far.' : 'No token is in force.');
}

async function revoke(session: Session, name: string): Promise<number> {
  await session.client().call(ROUTES.revokeToken, { params: { name } });
  session.io.out(
    session.isJson ? toJsonText({ name, revoked: true }) : `token ${escapeForTerminal(name)} is revoked\n`,
  );
  return EXIT.done;
}

const COLUMNS = [
  { title: 'TOKEN' },
  { title: 'ROLE' },
  { title: 'STATE' },
  { title: 'LAST USE' },
  { title: 'LIMITED TO', flexible: true, least: 12 },
];

function stateOf({ revokedAt, expiresAt }: TokenView, { paint, nowMs }: ViewContext): Cell {
  if (revokedAt !== null) return { text: `revoked ${formatAge(revokedAt, nowMs)}`, paint: paint.red };
  const leftMs = Date.parse(expiresAt) - nowMs;
  return leftMs > 0
    ? { text: `ends in ${formatSpan(leftMs)}`, paint: paint.green }
    : { text: `expired ${formatAge(expiresAt, nowMs)}`, paint: paint.yellow };
}

/** What a token may be used for, beside its role. */
function limitsOf({ hosts, operations }: TokenView): string {
  const limits = [
    ...(operations === null ? [] : [operations.join(', ')]),
    ...(hosts === null ? [] : [`on ${hosts.join(', ')}`]),
  ];
  return limits.length === 0 ? '-' : limits.join(' ');
}

/** Tokens, one line each. */
export function renderTokens(tokens: TokenView[], context: ViewContext): string {
  const rows = tokens.map((token): (string | Cell)[] => [
    token.name,
    token.role,
    stateOf(token, context),
    token.lastUsedAt === null ? 'never' : formatAge(token.lastUsedAt, context.nowMs),
    limitsOf(token),
  ]);
  return renderTable(COLUMNS, rows, context.width, context.paint.dim);
}
