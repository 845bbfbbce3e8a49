// What goes over the runner's socket: one line with the signed bytes, one line back. Nothing else is ever read from it.
import * as z from 'zod';
import { RefusalReason } from '#shared/command/admit.ts';
import type { SignedBytes } from '#shared/signing/dsse.ts';
import { decodeSigned, encodeSigned, SignedText } from './signed-text.ts';

export const MAX_HANDOVER_BYTES = 1024 * 1024;

export const AnswerLine = z.union([
  z.strictObject({ accepted: z.literal(true) }),
  z.strictObject({
    accepted: z.literal(false),
    reason: z.union([RefusalReason, z.literal('replayed')]),
    detail: z.string(),
  }),
]);

/** Writes signed bytes as a handover line. */
export function writeHandover(signed: SignedBytes): string {
  return `${JSON.stringify(encodeSigned(signed))}\n`;
}

/** Reads a handover line; undefined when the line is not a handover. */
export function parseHandover(line: string): SignedBytes | undefined {
  try {
    return decodeSigned(SignedText.parse(JSON.parse(line)));
  } catch {
    return undefined;
  }
}
