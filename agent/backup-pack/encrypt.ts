// Encrypts a stream in memory that does not grow with the stream.
import { Encrypter } from 'age-encryption';
import type { Meter } from '#shared/kit/meter.ts';
import { toWebStream } from './web-stream.ts';

/** The age file of `content`, chunk by chunk; `plain` sees the content. */
export async function* encryptTo(
  recipients: readonly string[],
  content: AsyncIterable<Buffer>,
  plain: Meter,
): AsyncGenerator<Uint8Array> {
  const encrypter = new Encrypter();
  for (const recipient of recipients) encrypter.addRecipient(recipient);
  async function* metered(): AsyncGenerator<Uint8Array> {
    for await (const chunk of content) {
      plain.update(chunk);
      yield chunk;
    }
  }
  yield* await encrypter.encrypt(toWebStream(metered()));
}
