// Parses a request's JSON from its bytes. Handlers never use the framework's parsed body.
import { LamplighterError } from '#shared/errors.ts';
import { extentOf, MAX_VALUES } from '#shared/json-extent.ts';

/** Our own bodies are nested less than half as deep. A recursive walk over a value from outside must not exhaust the stack. */
const MAX_DEPTH = 64;
function refuse(fault: string, cause?: unknown): LamplighterError {
  return new LamplighterError('invalid-input', `read body: ${fault}`, { cause });
}

function decode(body: Uint8Array): string {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(body);
  } catch (error) {
    throw refuse('it is not UTF-8', error);
  }
}

/** Parses a JSON body; when a key is given twice, the last value counts. Throws `invalid-input`. */
export function parseJson(body: Uint8Array): unknown {
  if (body.byteLength === 0) throw refuse('it is empty');
  const text = decode(body);
  const { depth, values } = extentOf(body);
  if (depth > MAX_DEPTH) throw refuse(`it is nested deeper than ${MAX_DEPTH} levels`);
  if (values > MAX_VALUES) throw refuse(`it has more than ${MAX_VALUES} values`);
  try {
    return JSON.parse(text);
  } catch (error) {
    throw refuse('it is not JSON', error);
  }
}
