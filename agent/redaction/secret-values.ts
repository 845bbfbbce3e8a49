// The secret values in the text of a file that the policy calls secret: KEY=VALUE lines, JSON, YAML, or the file as a whole.
import { parseEnv } from 'node:util';
import { parseAllDocuments } from 'yaml';
import { isSecretName } from './secret-names.ts';

/** A value under a secret's name, or alone in its file, is hidden from this length on. */
const MIN_NAMED_LENGTH = 4;
/** The longest in one line, in characters; of several lines each is looked for, and the whole when it is no longer. */
const MAX_LENGTH = 4096;
/** Any other value, when it looks made up as well. */
const MIN_OTHER_LENGTH = 8;
const MIN_OTHER_BITS = 30;
/** Words with separators, no longer than a name is: `Europe/London`, `app-web`. */
const NAME_LIKE = /^[A-Za-z]+(?:[ _./:@-][A-Za-z]+)*$/;
const MAX_NAME_LENGTH = 24;
const COMMON = new Set([
  'true',
  'false',
  'none',
  'null',
  'undefined',
  'enabled',
  'disabled',
  'default',
  'localhost',
  'production',
  'development',
]);

/** A value as the file has it, and whether its name or place calls it a secret. */
interface Found {
  text: string;
  isNamed: boolean;
}

/** Shannon's entropy of a text's own characters, in bits. */
function bitsOf(text: string): number {
  const counts = new Map<string, number>();
  for (const character of text) counts.set(character, (counts.get(character) ?? 0) + 1);
  const total = [...counts.values()].reduce((sum, count) => sum + count, 0);
  return [...counts.values()].reduce((sum, count) => sum - count * Math.log2(count / total), 0);
}

/** Values in an address's query may be secret. Not one pattern: `[?&][^=]*=` takes a time that grows with the square. */
function hasQuery(address: string): boolean {
  const start = address.search(/[?&]/);
  return start >= 0 && address.includes('=', start);
}

/** Addresses, places and versions are no secrets, and stand in every log. */
function looksPublic(text: string): boolean {
  if (/^[a-z][a-z0-9+.-]*:\/\/[^@\s]*$/i.test(text)) return !hasQuery(text);
  return (
    /^[\d.:/-]+$/.test(text) ||
    /^\/[\w./@-]*$/.test(text) ||
    /^[\w.-]+:\d{1,5}$/.test(text) ||
    (text.length <= MAX_NAME_LENGTH && NAME_LIKE.test(text))
  );
}

/** Whether hiding this value everywhere hides a secret rather than ordinary words. */
function isWorthHiding({ text, isNamed }: Found): boolean {
  if (COMMON.has(text.toLowerCase())) return false;
  if (isNamed) return text.length >= MIN_NAMED_LENGTH && !/^\d{1,5}$/.test(text);
  return text.length >= MIN_OTHER_LENGTH && bitsOf(text) >= MIN_OTHER_BITS && !looksPublic(text);
}

function decodePercent(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

/** The password inside an address or a connection string. */
function passwordsIn(text: string): Found[] {
  const inAddress = /:\/\/[^\s:/@]{0,200}:(\S{1,500})@/.exec(text)?.[1];
  const inQuery = [
    ...text.matchAll(/[?&;\s]([\w.-]{1,64})\s?=\s?([^&;\s]+)/g),
    ...text.matchAll(/^([\w.-]{1,64})=([^&;\s]+)/g),
  ];
  const found = inQuery.flatMap(([, name = '', value = '']) => (isSecretName(name) ? [value] : []));
  return [...(inAddress === undefined ? [] : [inAddress]), ...found]
    .flatMap((value) => [value, decodePercent(value), value.replace(/^(['"])(.*)\1$/, '$2')])
    .map((value) => ({ text: value, isNamed: true }));
}

/** A value of several lines is hidden line by line too: a journal has single lines only. */
function withParts(found: Found): Found[] {
  const lines = found.text.split('\n').map((line) => line.trim());
  const parts = lines.length > 1 ? lines.map((text) => ({ text, isNamed: false })) : [];
  return [found, ...parts, ...passwordsIn(found.text)];
}

interface Node {
  value: unknown;
  isNamed: boolean;
}

/** What is in a list or a mapping, with its names. */
function childrenOf({ value, isNamed }: Node): Node[] {
  if (Array.isArray(value)) return value.map((item: unknown) => ({ value: item, isNamed }));
  if (typeof value !== 'object' || value === null) return [];
  const entries: [unknown, unknown][] = value instanceof Map ? [...value] : Object.entries(value);
  return entries.map(([name, item]) => ({ value: item, isNamed: isNamed || isSecretName(String(name)) }));
}

/**
 * Without recursion, however deep it is; and what aliases repeat is looked at once under a secret's name, once under others.
 */
function scalarsOf(root: unknown): Found[] {
  const found: Found[] = [];
  const seen = { named: new Set<unknown>(), other: new Set<unknown>() };
  const left: Node[] = [{ value: root, isNamed: false }];
  for (let node = left.pop(); node; node = left.pop()) {
    const { value, isNamed } = node;
    if (typeof value === 'object') {
      const before = isNamed ? seen.named : seen.other;
      if (before.has(value)) continue;
      before.add(value);
      for (const child of childrenOf(node)) left.push(child);
    } else if (typeof value === 'string' || typeof value === 'number' || typeof value === 'bigint')
      found.push({ text: String(value), isNamed });
  }
  return found;
}

function readJson(text: string): Found[] | undefined {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === 'object' && value !== null ? scalarsOf(value) : undefined;
  } catch {
    return undefined;
  }
}

// Comparing each key with each other one, and a drawing for each error, take a time that grows with the square of the file.
const YAML_FORM = { logLevel: 'silent', intAsBigInt: true, uniqueKeys: false, prettyErrors: false } as const;
const YAML_TERMS = { maxAliasCount: 100, mapAsMap: true };

function readYaml(text: string): Found[] {
  const documents = parseAllDocuments(text, YAML_FORM);
  if (!Array.isArray(documents)) return [];
  try {
    return documents.flatMap((document) => {
      const value: unknown = document.errors.length > 0 ? undefined : document.toJS(YAML_TERMS);
      // Any text at all is a scalar of YAML.
      return typeof value === 'object' ? scalarsOf(value) : [];
    });
  } catch {
    return [];
  }
}

/** KEY=VALUE: as Node and dotenv read it, and each line's right side as it stands, for whoever reads it differently. */
function readAssignments(text: string): Found[] {
  const parsed = Object.entries(parseEnv(text)).map(([name, value]) => ({
    text: value ?? '',
    isNamed: isSecretName(name),
  }));
  const raw = [...text.matchAll(/^[ \t]*(?:export[ \t]+)?([\w.-]{1,100})[ \t]*(?:=|:(?=\s))(.*)$/gm)];
  return [
    ...parsed,
    ...raw.flatMap(([, name = '', right = '']) => {
      const value = right.trim();
      const bare = value.replace(/^(['"])(.*)\1$/, '$2');
      return [value, bare, bare.replace(/\\(.)/g, '$1')].map((one) => ({
        text: one,
        isNamed: isSecretName(name),
      }));
    }),
  ];
}

/** Without names: the text, each line, and what stands between blanks, quotes and colons (`.pgpass`, `.netrc`). */
function readWords(text: string): Found[] {
  const words = text.split(/[\s"',;:=]+/);
  return [
    { text, isNamed: true },
    ...text.split('\n').map((line) => ({ text: line.trim(), isNamed: false })),
    ...words.map((word, i) => ({ text: word, isNamed: isSecretName(words[i - 1] ?? '') })),
  ];
}

const COMMENT = /^[ \t]*#.*$/gm;
const HAS_NAMES = /^[ \t]*(?:export[ \t]+)?["']?[\w.-]{1,100}["']?[ \t]*(?:=|:(?=\s))|^[ \t]*[[{]/m;

/** Whether a value is looked for as a whole. Throws for a line that is too long to be. */
function isShortEnough(text: string): boolean {
  if (text.length <= MAX_LENGTH) return true;
  if (text.includes('\n')) return false;
  throw new Error(`a value in it is longer than ${MAX_LENGTH} characters`);
}

/**
 * The values to hide wherever they appear. Trivial ones (`true`, `5432`, a host's name) are left out. Throws for one that is
 * too long.
 */
export function secretValuesOf(text: string): string[] {
  const bare = text.replace(COMMENT, '').trim();
  const named = HAS_NAMES.test(bare)
    ? [...(readJson(text) ?? readYaml(text)), ...readAssignments(text)]
    : readWords(bare);
  const values = named.flatMap(withParts).filter(isWorthHiding);
  return [...new Set(values.map(({ text: value }) => value))].filter(isShortEnough);
}
