import type { TokenView } from '#shared/api/views.ts';
import { formatAge, formatSpan } from '../output/quantity.ts';
import { type Cell, renderTable } from '../output/table.ts';
import type { ViewContext } from './context.ts';

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
