import { invalidArgument } from './fault.ts';

const DEFAULT_PAGE_SIZE = 100;

/** A page of names; the token is the last name of the page before. */
export function pageOf<T>(
  items: readonly T[],
  nameOf: (item: T) => string,
  pageSize: number,
  pageToken: string,
): { page: T[]; nextPageToken: string } {
  if (pageSize < 0) throw invalidArgument(`Invalid page size: ${pageSize}`);
  const size = Math.min(pageSize || DEFAULT_PAGE_SIZE, 1000);
  const rest = items
    .toSorted((a, b) => (nameOf(a) < nameOf(b) ? -1 : 1))
    .filter((item) => nameOf(item) > pageToken);
  const page = rest.slice(0, size);
  const last = page.at(-1);
  return { page, nextPageToken: rest.length > size && last !== undefined ? nameOf(last) : '' };
}
