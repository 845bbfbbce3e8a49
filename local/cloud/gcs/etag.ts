// Google's etag: a protocol buffer of generation and metageneration in base64, such as CJizzv6o6v8CEAE=.

export function etagOf(generation: string, metageneration: string): string {
  return Buffer.from([0x08, ...varint(BigInt(generation)), 0x10, ...varint(BigInt(metageneration))]).toString(
    'base64',
  );
}

/** A bucket has no generation. */
export function bucketEtagOf(metageneration: string): string {
  return Buffer.from([0x08, ...varint(BigInt(metageneration))]).toString('base64');
}

function varint(value: bigint): number[] {
  const bytes: number[] = [];
  let rest = value;
  while (rest > 0x7fn) {
    bytes.push(Number(rest & 0x7fn) | 0x80);
    rest >>= 7n;
  }
  return [...bytes, Number(rest)];
}
