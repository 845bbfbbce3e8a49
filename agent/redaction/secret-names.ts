// Which names mean that their value is a secret: DB_PASS, secretKey, api-key. By whole words, so that `compass` is none.

const ONE_WORD = new Set([
  'pass',
  'passwd',
  'password',
  'passphrase',
  'passcode',
  'pwd',
  'pw',
  'secret',
  'secrets',
  'token',
  'apikey',
  'apitoken',
  'accesskey',
  'secretkey',
  'privatekey',
  'authtoken',
  'credential',
  'credentials',
  'cookie',
  'cookies',
  'sessionid',
  'jwt',
  'salt',
  'pepper',
  'pgpassword',
  'pgpass',
]);
/** Before `key`, these make a name of two words a secret's. */
const KEY_KINDS = new Set([
  'api',
  'access',
  'secret',
  'private',
  'encryption',
  'signing',
  'master',
  'auth',
  'session',
]);
/** After a secret's name, these make it the name of something about the secret. */
const ABOUT = new Set([
  'file',
  'path',
  'dir',
  'id',
  'count',
  'length',
  'type',
  'expires',
  'ttl',
  'policy',
  'url',
]);

function wordsOf(name: string): string[] {
  return name
    .replace(/([a-z0-9])([A-Z])/g, '$1 $2')
    .toLowerCase()
    .split(/[^a-z0-9]+/)
    .filter((word) => word !== '');
}

/** True when a value under this name is a secret. */
export function isSecretName(name: string): boolean {
  const words = wordsOf(name);
  if (words.length > 1 && ABOUT.has(words.at(-1) ?? '') && !/session/.test(words.at(-2) ?? '')) return false;
  return words.some(
    (word, i) =>
      ONE_WORD.has(word) ||
      /^(?:\w*)(?:passw(?:or)?d|secret)\d*$/.test(word) ||
      (word === 'key' && KEY_KINDS.has(words[i - 1] ?? '')) ||
      (word === 'id' && words[i - 1] === 'session'),
  );
}
