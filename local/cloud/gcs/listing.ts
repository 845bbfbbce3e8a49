// One page of a bucket's names: cloud.google.com/storage/docs/json_api/v1/objects/list
import * as z from 'zod';
import { invalid, unsupported } from './fault.ts';
import { MAX_PAGE_RESULTS } from './limits.ts';

export const ListQuery = z.object({
  prefix: z.string().default(''),
  delimiter: z.string().default(''),
  startOffset: z.string().default(''),
  endOffset: z.string().default(''),
  pageToken: z.string().optional(),
  maxResults: z
    .string()
    .regex(/^\d{1,9}$/)
    .transform(Number)
    .optional(),
  includeTrailingDelimiter: z.string().optional(),
  matchGlob: z.string().optional(),
});
export type ListQuery = z.infer<typeof ListQuery>;

export interface Page {
  names: string[];
  prefixes: string[];
  nextPageToken?: string;
}

/** `order` holds all names in the order of `compareUtf8`. */
export function listPage(order: readonly string[], query: ListQuery): Page {
  if (query.matchGlob !== undefined) throw unsupported('matchGlob');
  const most = Math.min(query.maxResults || MAX_PAGE_RESULTS, MAX_PAGE_RESULTS);
  const after = query.pageToken === undefined ? '' : decodePageToken(query.pageToken);
  const page: Page = { names: [], prefixes: [] };
  let last = after;
  for (const entry of entriesAfter(order, after, query)) {
    if (page.names.length + page.prefixes.length >= most)
      return { ...page, nextPageToken: encodePageToken(last) };
    if (entry.isPrefix) page.prefixes.push(entry.key);
    if (!entry.isPrefix || entry.isObjectToo) page.names.push(entry.key);
    last = entry.key;
  }
  return page;
}

interface Entry {
  /** A name, or the prefix that stands for all names that begin with it. */
  key: string;
  isPrefix: boolean;
  /** An object has the prefix as its name, and the client wants to see it. */
  isObjectToo: boolean;
}

function* entriesAfter(order: readonly string[], after: string, query: ListQuery): Generator<Entry> {
  const { prefix, startOffset, endOffset } = query;
  const showsBoth = query.includeTrailingDelimiter === 'true';
  let last = after;
  for (let at = firstAtLeast(order, maxOf(prefix, startOffset, after)); at < order.length; at += 1) {
    const name = order[at] ?? '';
    if (!name.startsWith(prefix) || (endOffset && compareUtf8(name, endOffset) >= 0)) return;
    const group = groupOf(name, query);
    const key = group ?? name;
    // The last entry, perhaps of the page before, stands for all the names of its group.
    if (key === last) continue;
    last = key;
    yield { key, isPrefix: group !== undefined, isObjectToo: showsBoth && name === group };
  }
}

/** The common prefix up to the delimiter that stands for the name, if any. */
function groupOf(name: string, { prefix, delimiter }: ListQuery): string | undefined {
  if (!delimiter) return undefined;
  const at = name.indexOf(delimiter, prefix.length);
  return at < 0 ? undefined : name.slice(0, at + delimiter.length);
}

function maxOf(...names: string[]): string {
  return names.reduce((most, name) => (compareUtf8(name, most) > 0 ? name : most));
}

function firstAtLeast(order: readonly string[], name: string): number {
  let low = 0;
  let high = order.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (compareUtf8(order[middle] ?? '', name) < 0) low = middle + 1;
    else high = middle;
  }
  return low;
}

function encodePageToken(last: string): string {
  return Buffer.from(last).toString('base64url');
}

function decodePageToken(token: string): string {
  const last = Buffer.from(token, 'base64url');
  if (token === '' || last.toString('base64url') !== token.replaceAll('=', ''))
    throw invalid(`Invalid page token: '${token.slice(0, 64)}'`);
  return last.toString();
}

/** Google's order is that of the UTF-8 bytes; JavaScript's own puts surrogate pairs before U+E000. */
export function compareUtf8(a: string, b: string): number {
  const length = Math.min(a.length, b.length);
  for (let at = 0; at < length; at += 1) {
    const left = a.charCodeAt(at);
    const right = b.charCodeAt(at);
    if (left !== right) return codePointRank(left) - codePointRank(right);
  }
  return a.length - b.length;
}

function codePointRank(unit: number): number {
  if (unit >= 0xe000) return unit - 0x800;
  return unit >= 0xd800 ? unit + 0x2000 : unit;
}
