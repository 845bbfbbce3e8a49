// What goes over the runner's socket: one line with the signed bytes, one line back. Nothing else is ever read from it.
import * as z from 'zod';
import { RefusalReason } from '#shared/command/admit.ts';
import type { SignedBytes } from '#shared/signing/dsse.ts';

export const MAX_HANDOVER_BYTES = 1024 * 1024;

const HandoverLine = z.strictObject({
  payload: z.base64(),
  signature: z.base64().max(200),
  keyId: z.string().max(64),
});
export const AnswerLine = z.union([
  z.strictObject({ accepted: z.literal(true) }),
  z.strictObject({
    accepted: z.literal(false),
    reason: z.union([RefusalReason, z.literal('replayed')]),
    detail: z.string(),
  }),
]);

/** Writes signed bytes as a hand-over line. */
export function writeHandover(signed: SignedBytes): string {
  const line: z.infer<typeof HandoverLine> = {
    payload: Buffer.from(signed.payload).toString('base64'),
    signature: Buffer.from(signed.signature).toString('base64'),
    keyId: signed.keyId,
  };
  return `${JSON.stringify(line)}\n`;
}

/** Reads a hand-over line; undefined when it is none. */
export function parseHandover(line: string): SignedBytes | undefined {
  try {
    const { payload, signature, keyId } = HandoverLine.parse(JSON.parse(line));
    return { payload: Buffer.from(payload, 'base64'), signature: Buffer.from(signature, 'base64'), keyId };
  } catch {
    return undefined;
  }
}
