// The filter language over attributes (cloud.google.com/pubsub/docs/subscription-message-filter): attributes:KEY,
// attributes.KEY = "v", != "v", hasPrefix(attributes.KEY, "v"), NOT, AND, OR (not mixed without parentheses).
import { invalidArgument } from './fault.ts';
import { MAX_FILTER_BYTES } from './limits.ts';

export type Attributes = Readonly<Record<string, string>>;
export type Predicate = (attributes: Attributes) => boolean;

const TOKEN = /\s*(?:("(?:[^"\\]|\\.)*")|(!=|=|\(|\)|,|:|\.)|([A-Za-z0-9_-]+))/y;

interface Token {
  kind: 'string' | 'symbol' | 'word';
  text: string;
}

function tokenize(filter: string): Token[] {
  const tokens: Token[] = [];
  TOKEN.lastIndex = 0;
  while (filter.slice(TOKEN.lastIndex).trim() !== '') {
    const at = TOKEN.lastIndex;
    const match = TOKEN.exec(filter);
    if (!match) throw invalidArgument(`Invalid filter: unexpected character at position ${at}`);
    const [, quoted, symbol, word] = match;
    if (quoted !== undefined) tokens.push({ kind: 'string', text: unquote(quoted) });
    else tokens.push({ kind: symbol === undefined ? 'word' : 'symbol', text: symbol ?? word ?? '' });
  }
  return tokens;
}

function unquote(text: string): string {
  return text.slice(1, -1).replace(/\\(.)/g, '$1');
}

/** Reads one token after another. */
class Reader {
  #at = 0;
  readonly #tokens: readonly Token[];

  constructor(tokens: readonly Token[]) {
    this.#tokens = tokens;
  }

  peek(): Token | undefined {
    return this.#tokens[this.#at];
  }

  take(kind: Token['kind'], text?: string): string {
    const token = this.peek();
    if (!token || token.kind !== kind || (text !== undefined && token.text !== text)) {
      throw invalidArgument(`Invalid filter: expected ${text ?? kind}, found ${token?.text ?? 'the end'}`);
    }
    this.#at += 1;
    return token.text;
  }

  skip(kind: Token['kind'], text: string): boolean {
    const token = this.peek();
    const isThere = token?.kind === kind && token.text === text;
    if (isThere) this.#at += 1;
    return isThere;
  }
}

/** Compiles a filter; the empty one matches everything. Throws INVALID_ARGUMENT with what is wrong. */
export function compileFilter(filter: string): Predicate {
  if (filter.trim() === '') return () => true;
  if (Buffer.byteLength(filter) > MAX_FILTER_BYTES) {
    throw invalidArgument(`Invalid filter: longer than ${MAX_FILTER_BYTES} bytes`);
  }
  const reader = new Reader(tokenize(filter));
  const predicate = parseExpression(reader);
  const rest = reader.peek();
  if (rest) throw invalidArgument(`Invalid filter: unexpected ${rest.text}`);
  return predicate;
}

function parseExpression(reader: Reader): Predicate {
  const terms = [parseTerm(reader)];
  const operator = reader.peek()?.text === 'OR' ? 'OR' : 'AND';
  while (reader.skip('word', operator)) terms.push(parseTerm(reader));
  // Google refuses AND and OR side by side: parentheses must say what is meant.
  const next = reader.peek();
  if (next?.kind === 'word') throw invalidArgument(`Invalid filter: ${next.text} here needs parentheses`);
  return operator === 'OR'
    ? (attributes) => terms.some((term) => term(attributes))
    : (attributes) => terms.every((term) => term(attributes));
}

function parseTerm(reader: Reader): Predicate {
  if (reader.skip('word', 'NOT')) {
    const term = parseTerm(reader);
    return (attributes) => !term(attributes);
  }
  if (reader.skip('symbol', '(')) {
    const inner = parseExpression(reader);
    reader.take('symbol', ')');
    return inner;
  }
  if (reader.skip('word', 'hasPrefix')) return parsePrefix(reader);
  return parseComparison(reader);
}

function parsePrefix(reader: Reader): Predicate {
  reader.take('symbol', '(');
  reader.take('word', 'attributes');
  reader.take('symbol', '.');
  const key = parseKey(reader);
  reader.take('symbol', ',');
  const prefix = reader.take('string');
  reader.take('symbol', ')');
  return (attributes) => attributes[key]?.startsWith(prefix) === true;
}

function parseComparison(reader: Reader): Predicate {
  reader.take('word', 'attributes');
  if (reader.skip('symbol', ':')) {
    const key = parseKey(reader);
    return (attributes) => attributes[key] !== undefined;
  }
  reader.take('symbol', '.');
  const key = parseKey(reader);
  const isNegated = reader.skip('symbol', '!=');
  if (!isNegated) reader.take('symbol', '=');
  const value = reader.take('string');
  return (attributes) => (attributes[key] === value) !== isNegated;
}

function parseKey(reader: Reader): string {
  return reader.peek()?.kind === 'string' ? reader.take('string') : reader.take('word');
}
