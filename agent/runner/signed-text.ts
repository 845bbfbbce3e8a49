// Signed bytes as JSON: on the sockets of the runner and the reader, and in the runner's records.
import * as z from 'zod';
import type { SignedBytes } from '#shared/signing/dsse.ts';

export const SignedText = z.strictObject({
  payload: z.base64(),
  signature: z.base64().max(200),
  keyId: z.string().max(64),
});
type SignedText = z.infer<typeof SignedText>;

/** Signed bytes to their JSON. */
export function encodeSigned({ payload, signature, keyId }: SignedBytes): SignedText {
  return {
    payload: Buffer.from(payload).toString('base64'),
    signature: Buffer.from(signature).toString('base64'),
    keyId,
  };
}

/** Signed bytes from their JSON; the signature is not checked. */
export function decodeSigned({ payload, signature, keyId }: SignedText): SignedBytes {
  return { payload: Buffer.from(payload, 'base64'), signature: Buffer.from(signature, 'base64'), keyId };
}
