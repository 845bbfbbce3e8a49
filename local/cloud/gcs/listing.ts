// One page of a bucket's names: cloud.google.com/storage/docs/json_api/v1/objects/list
import * as z from 'zod';
import { invalid } from './fault.ts';
import { MAX_PAGE_RESULTS } from './limits.ts';

export const ListQuery = z.object({
  prefix: z.string().default(''),
  pageToken: z.string().optional(),
  maxResults: z
    .string()
    .regex(/^\d{1,9}$/)
    .transform(Number)
    .optional(),
});
export type ListQuery = z.infer<typeof ListQuery>;

export interface Page {
  names: string[];
  nextPageToken?: string;
}

/** The names that begin with the prefix, in Google's order; the token is the last name of the page before. */
export function listPage(names: Iterable<string>, query: ListQuery): Page {
  const most = Math.min(query.maxResults || MAX_PAGE_RESULTS, MAX_PAGE_RESULTS);
  const after = query.pageToken === undefined ? '' : decodePageToken(query.pageToken);
  const rest = [...names]
    .filter((name) => name.startsWith(query.prefix) && compareUtf8(name, after) > 0)
    .toSorted(compareUtf8);
  const page = rest.slice(0, most);
  const last = page.at(-1);
  if (rest.length <= most || last === undefined) return { names: page };
  return { names: page, nextPageToken: Buffer.from(last).toString('base64url') };
}

function decodePageToken(token: string): string {
  const last = Buffer.from(token, 'base64url');
  if (token === '' || last.toString('base64url') !== token.replaceAll('=', ''))
    throw invalid(`Invalid page token: '${token.slice(0, 64)}'`);
  return last.toString();
}

/** Google's order is that of the UTF-8 bytes; JavaScript's own puts surrogate pairs before U+E000. */
export function compareUtf8(a: string, b: string): number {
  return Buffer.compare(Buffer.from(a), Buffer.from(b));
}
