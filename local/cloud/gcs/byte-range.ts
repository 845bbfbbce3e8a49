// The Range header of a download (RFC 9110, one range only) and the Content-Range of an upload.
import { invalid, StorageFault } from './fault.ts';

export interface ByteRange {
  start: number;
  /** Inclusive. */
  end: number;
}

/** Undefined means the whole content: no header, or one that RFC 9110 tells a server to ignore. */
export function parseRange(header: string | undefined, size: number): ByteRange | undefined {
  const match = /^bytes=(\d*)-(\d*)$/.exec(header?.trim() ?? '');
  if (!match || (match[1] === '' && match[2] === '')) return undefined;
  const [, first = '', last = ''] = match;
  return first === '' ? tailRange(Number(last), size) : headRange(Number(first), last, size);
}

function headRange(start: number, last: string, size: number): ByteRange | undefined {
  const end = last === '' ? size - 1 : Math.min(Number(last), size - 1);
  if (last !== '' && Number(last) < start) return undefined;
  if (start >= size) throw notSatisfiable(size);
  return { start, end };
}

function tailRange(length: number, size: number): ByteRange {
  if (length === 0 || size === 0) throw notSatisfiable(size);
  return { start: Math.max(0, size - length), end: size - 1 };
}

function notSatisfiable(size: number): StorageFault {
  return new StorageFault(416, 'The requested range cannot be satisfied.', {
    locationType: 'header',
    location: 'Range',
    headers: { 'content-range': `bytes */${size}` },
  });
}

export interface UploadRange {
  /** Undefined: the request carries no bytes, it only asks how far the upload is. */
  start: number | undefined;
  /** Inclusive; undefined: as far as the request's body goes. */
  end: number | undefined;
  /** The whole object's size, when the client knows it. */
  total: number | undefined;
}

/**
 * `bytes a-b/N`, `bytes a-b/*`, `bytes a-*\/*`, `bytes *\/N`, `bytes *\/*`: cloud.google.com/storage/docs/performing-resumable-uploads.
 * Without the header the body is the whole object.
 */
export function parseContentRange(header: string | undefined): UploadRange {
  if (header === undefined) return { start: 0, end: undefined, total: undefined };
  const match = /^bytes (?:\*|(\d{1,15})-(-1|\d{1,15}|\*))\/(\d{1,15}|\*)$/.exec(header.trim());
  if (!match) throw invalid(`Failed to parse Content-Range header: ${header}`);
  const [, start, end, total] = match;
  const range = { start: numberOf(start), end: numberOf(end), total: numberOf(total) };
  assertConsistent(range, header);
  return range;
}

function assertConsistent({ start, end, total }: UploadRange, header: string): void {
  // An empty last chunk is written as `bytes 0--1/0` or `5-4/5` by some clients; only further apart is nonsense.
  const isBackwards = start !== undefined && end !== undefined && end < start - 1;
  const isBeyondTotal = end !== undefined && total !== undefined && end >= total && total > 0;
  if (isBackwards || isBeyondTotal) throw invalid(`Invalid Content-Range header: ${header}`);
}

function numberOf(text: string | undefined): number | undefined {
  return text === undefined || text === '*' ? undefined : Number(text);
}
