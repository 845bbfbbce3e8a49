// The Content-Range of an upload's request: cloud.google.com/storage/docs/performing-resumable-uploads
import { invalid } from './fault.ts';

export interface UploadRange {
  /** Undefined: the request carries no bytes, it only asks how far the upload is. */
  start: number | undefined;
  /** Inclusive; undefined: as far as the request's body goes. */
  end: number | undefined;
  /** The whole object's size, when the client knows it. */
  total: number | undefined;
}

/** `bytes a-b/N`, `bytes a-b/*`, `bytes a-*\/*`, `bytes *\/N`, `bytes *\/*`. */
export function parseContentRange(header: string | undefined): UploadRange {
  const match = /^bytes (?:\*|(\d{1,15})-(-1|\d{1,15}|\*))\/(\d{1,15}|\*)$/.exec(header?.trim() ?? '');
  if (!match) throw invalid(`Failed to parse Content-Range header: ${header}`);
  const [, first, last, size] = match;
  const [start, end, total] = [numberOf(first), numberOf(last), numberOf(size)];
  // Clients write an empty last chunk as `bytes 0--1/0` or `5-4/5`; only further apart is nonsense.
  const isBackwards = start !== undefined && end !== undefined && end < start - 1;
  const isBeyondTotal = end !== undefined && total !== undefined && end >= total && total > 0;
  if (isBackwards || isBeyondTotal) throw invalid(`Invalid Content-Range header: ${header}`);
  return { start, end, total };
}

function numberOf(text: string | undefined): number | undefined {
  return text === undefined || text === '*' ? undefined : Number(text);
}
