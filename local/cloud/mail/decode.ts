// MIME's encodings, as far as mails of ours use them. Text comes in with one character for each byte (Latin-1).

const UTF8 = new TextDecoder('utf-8');

function bytesOf(latin1: string): Buffer {
  return Buffer.from(latin1, 'latin1');
}

function quotedPrintableBytes(text: string): Buffer {
  return bytesOf(
    text.replaceAll(/=([0-9A-Fa-f]{2})/g, (_whole, hex: string) =>
      String.fromCharCode(Number.parseInt(hex, 16)),
    ),
  );
}

/** A body in its transfer encoding (RFC 2045, 6). */
export function decodeBody(body: string, encoding: string): string {
  switch (encoding.trim().toLowerCase()) {
    case 'base64':
      return UTF8.decode(Buffer.from(body, 'base64'));
    case 'quoted-printable':
      return UTF8.decode(quotedPrintableBytes(body.replaceAll(/=[ \t]*\r?\n/g, '')));
    default:
      return UTF8.decode(bytesOf(body));
  }
}

/** A header with encoded words (RFC 2047); white space between two of them is not part of the text. */
export function decodeWords(header: string): string {
  return header
    .replaceAll(/(\?=)\s+(=\?)/g, '$1$2')
    .replaceAll(/=\?utf-8\?([bq])\?([^?]*)\?=/gi, (_whole, kind: string, text: string) =>
      UTF8.decode(
        kind.toLowerCase() === 'b'
          ? Buffer.from(text, 'base64')
          : quotedPrintableBytes(text.replaceAll('_', ' ')),
      ),
    );
}
