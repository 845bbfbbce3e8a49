// How signed bytes travel over Pub/Sub: CloudEvents 1.0 in binary mode (attributes `ce-*`, the payload as the data),
// with the signature beside it as attributes. Attributes only route; nothing in them is trusted but the signature.
import * as z from 'zod';
import { PAYLOAD_TYPES, type PayloadKind, type SignedBytes } from './dsse.ts';

export const SIGNATURE_ATTRIBUTE = 'lamplighter-signature';
export const KEY_ID_ATTRIBUTE = 'lamplighter-keyid';

const WireAttributes = z.lazy(() =>
  z.object({
    [SIGNATURE_ATTRIBUTE]: z.base64().max(200),
    // Looked up in a database that takes no NUL, and shown.
    [KEY_ID_ATTRIBUTE]: z.string().regex(/^[\x21-\x7e]{1,64}$/),
  }),
);

/** The CloudEvents attributes of one message. */
export interface EventHead {
  id: string;
  source: string;
  type: string;
  time: string;
  subject?: string;
}

/** A Pub/Sub message as the client publishes it. */
export interface WireMessage {
  data: Buffer;
  attributes: Record<string, string>;
}

/** Dresses signed bytes for Pub/Sub. */
export function toWire(kind: PayloadKind, signed: SignedBytes, head: EventHead): WireMessage {
  return {
    data: Buffer.from(signed.payload),
    attributes: {
      'ce-specversion': '1.0',
      'ce-id': head.id,
      'ce-source': head.source,
      'ce-type': head.type,
      'ce-time': head.time,
      ...(head.subject === undefined ? {} : { 'ce-subject': head.subject }),
      'content-type': PAYLOAD_TYPES[kind],
      [SIGNATURE_ATTRIBUTE]: Buffer.from(signed.signature).toString('base64'),
      [KEY_ID_ATTRIBUTE]: signed.keyId,
    },
  };
}

/** The signed bytes of a message, or undefined when it carries no well-formed signature. */
export function fromWire(data: Uint8Array, attributes: Record<string, string>): SignedBytes | undefined {
  const parsed = WireAttributes.safeParse(attributes);
  if (!parsed.success) return undefined;
  return {
    payload: data,
    signature: Buffer.from(parsed.data[SIGNATURE_ATTRIBUTE], 'base64'),
    keyId: parsed.data[KEY_ID_ATTRIBUTE],
  };
}
