// A request's JSON, from its bytes: handlers never look at what the framework's parser made of them.
import { LamplighterError } from '#shared/errors.ts';

/** Nothing of ours is nested half as deep; what walks a value recursively must not run out of stack on one from outside. */
const MAX_DEPTH = 64;
/**
 * The 2000 lines of a journal are 8000 values. A value takes some hundred bytes of memory, and as many again for each fault
 * that the schema finds in it, while its text may have two bytes.
 */
export const MAX_VALUES = 50_000;

const [QUOTE, BACKSLASH, COMMA, OPEN_LIST, CLOSE_LIST, OPEN_OBJECT, CLOSE_OBJECT] = Buffer.from('"\\,[]{}');

function refuse(fault: string, cause?: unknown): LamplighterError {
  return new LamplighterError('invalid-input', `read body: ${fault}`, { cause });
}

interface Extent {
  depth: number;
  /** Commas, lists and objects: no fewer than half of the values, keys aside. */
  values: number;
}

/** How deep JSON text is nested and how much it holds, by the marks outside of strings: known before anything is made of it. */
function measure(json: Uint8Array): Extent {
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

function decode(body: Uint8Array): string {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(body);
  } catch (error) {
    throw refuse('it is not UTF-8', error);
  }
}

/** Parses a JSON body; of a key given twice the last one counts. Throws `invalid-input`. */
export function parseJson(body: Uint8Array): unknown {
  if (body.byteLength === 0) throw refuse('it is empty');
  const text = decode(body);
  const { depth, values } = measure(body);
  if (depth > MAX_DEPTH) throw refuse(`it is nested deeper than ${MAX_DEPTH} levels`);
  if (values > MAX_VALUES) throw refuse(`it has more than ${MAX_VALUES} values`);
  try {
    return JSON.parse(text);
  } catch (error) {
    throw refuse('it is not JSON', error);
  }
}
