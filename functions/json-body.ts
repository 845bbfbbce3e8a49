// A request's JSON, from its bytes: handlers never look at what the framework's parser made of them.
import { LamplighterError } from '#shared/errors.ts';

/** Nothing of ours is nested half as deep; what walks a value recursively must not run out of stack on one from outside. */
const MAX_DEPTH = 64;

const [QUOTE, BACKSLASH, OPEN_LIST, CLOSE_LIST, OPEN_OBJECT, CLOSE_OBJECT] = Buffer.from('"\\[]{}');

function refuse(fault: string, cause?: unknown): LamplighterError {
  return new LamplighterError('invalid-input', `read body: ${fault}`, { cause });
}

/** How deep JSON text is nested, by its brackets outside of strings. */
function depthOf(json: Buffer): number {
  let depth = 0;
  let deepest = 0;
  let isInString = false;
  for (let i = 0; i < json.length; i++) {
    const byte = json[i];
    if (isInString && byte === BACKSLASH) i += 1;
    else if (byte === QUOTE) isInString = !isInString;
    else if (isInString) continue;
    else if (byte === OPEN_LIST || byte === OPEN_OBJECT) deepest = Math.max(deepest, ++depth);
    else if (byte === CLOSE_LIST || byte === CLOSE_OBJECT) depth -= 1;
  }
  return deepest;
}

function decode(body: Buffer): string {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(body);
  } catch (error) {
    throw refuse('it is not UTF-8', error);
  }
}

/** Parses a JSON body; of a key given twice the last one counts. Throws `invalid-input`. */
export function parseJson(body: Buffer): unknown {
  if (body.byteLength === 0) throw refuse('it is empty');
  const text = decode(body);
  if (depthOf(body) > MAX_DEPTH) throw refuse(`it is nested deeper than ${MAX_DEPTH} levels`);
  try {
    return JSON.parse(text);
  } catch (error) {
    throw refuse('it is not JSON', error);
  }
}
