// How much a JSON text holds, before it is parsed: what is short as text may take a gigabyte as values.

/**
 * The 2000 lines of a journal are 8000 values. A value takes some hundred bytes of memory, and as many again for each fault
 * that the schema finds in it, while its text may have two bytes.
 */
export const MAX_VALUES = 50_000;

const [QUOTE, BACKSLASH, COMMA, OPEN_LIST, CLOSE_LIST, OPEN_OBJECT, CLOSE_OBJECT] = new TextEncoder().encode(
  '"\\,[]{}',
);

export interface Extent {
  depth: number;
  /** Commas, lists and objects: no fewer than half of the values, keys aside. */
  values: number;
}

/** How deep JSON text is nested and how much it holds, by the marks outside of strings: known before anything is made of it. */
export function extentOf(json: Uint8Array): Extent {
  let depth = 0;
  const extent = { depth: 0, values: 0 };
  let isInString = false;
  for (let i = 0; i < json.length; i++) {
    const byte = json[i];
    if (isInString && byte === BACKSLASH) i += 1;
    else if (byte === QUOTE) isInString = !isInString;
    else if (isInString) continue;
    else if (byte === COMMA) extent.values += 1;
    else if (byte === OPEN_LIST || byte === OPEN_OBJECT) {
      extent.values += 1;
      extent.depth = Math.max(extent.depth, ++depth);
    } else if (byte === CLOSE_LIST || byte === CLOSE_OBJECT) depth -= 1;
  }
  return extent;
}
