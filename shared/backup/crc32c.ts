// CRC32C (Castagnoli, RFC 3720), as Google Cloud Storage writes it. Google's client has one as well, but a process without
// network should not have to load that client. Slicing by eight: eight tables, eight bytes a turn.

const POLYNOMIAL = 0x82f63b78;
const SLICES = 8;

function makeTables(): Uint32Array[] {
  const tables = Array.from({ length: SLICES }, () => new Uint32Array(256));
  const [first = new Uint32Array(256)] = tables;
  for (let byte = 0; byte < 256; byte++) {
    let crc = byte;
    for (let bit = 0; bit < 8; bit++) crc = crc & 1 ? (crc >>> 1) ^ POLYNOMIAL : crc >>> 1;
    first[byte] = crc >>> 0;
  }
  for (let slice = 1; slice < SLICES; slice++) {
    const [before, table] = [tables[slice - 1], tables[slice]];
    for (let byte = 0; byte < 256; byte++) {
      const crc = before?.[byte] ?? 0;
      if (table) table[byte] = ((crc >>> 8) ^ (first[crc & 0xff] ?? 0)) >>> 0;
    }
  }
  return tables;
}

const [T0, T1, T2, T3, T4, T5, T6, T7] = makeTables() as [
  Uint32Array,
  Uint32Array,
  Uint32Array,
  Uint32Array,
  Uint32Array,
  Uint32Array,
  Uint32Array,
  Uint32Array,
];

function at(table: Uint32Array, index: number): number {
  return table[index & 0xff] ?? 0;
}

export interface Crc32cDigest {
  update(chunk: Uint8Array): void;
  /** Base64 of the big-endian 32 bits. */
  digest(): string;
}

/** A running checksum. */
export function createCrc32c(): Crc32cDigest {
  let crc = 0xffffffff;
  return {
    update: (chunk) => {
      const view = new DataView(chunk.buffer, chunk.byteOffset, chunk.byteLength);
      const whole = chunk.length - (chunk.length % SLICES);
      for (let i = 0; i < whole; i += SLICES) {
        const low = view.getUint32(i, true) ^ crc;
        const high = view.getUint32(i + 4, true);
        crc =
          at(T7, low) ^
          at(T6, low >>> 8) ^
          at(T5, low >>> 16) ^
          at(T4, low >>> 24) ^
          at(T3, high) ^
          at(T2, high >>> 8) ^
          at(T1, high >>> 16) ^
          at(T0, high >>> 24);
      }
      for (let i = whole; i < chunk.length; i++) crc = (crc >>> 8) ^ at(T0, crc ^ (chunk[i] ?? 0));
    },
    digest: () => {
      const bytes = new DataView(new ArrayBuffer(4));
      bytes.setUint32(0, (crc ^ 0xffffffff) >>> 0);
      return Buffer.from(bytes.buffer).toString('base64');
    },
  };
}
