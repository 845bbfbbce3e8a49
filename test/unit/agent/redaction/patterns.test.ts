import { expect, test } from 'vitest';
import { redactPatterns } from '#agent/redaction/patterns.ts';

const JWT = 'eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0.dozjgNryP4J3jVmNHl0w5N_XgL0n3I9PlFUP0THsR8U';
const LETTERS = 'AbCdEfGhIjKlMnOpQrStUvWxYz0123456789';
/** Put together here, so that a secret scanner does not report this file. */
const token = (prefix: string, length = 24) => `${prefix}${LETTERS.slice(0, length)}`;

test.each<readonly [string, string, string]>([
  ["SQL's PASSWORD", "ALTER ROLE app PASSWORD 'hunter2'", "ALTER ROLE app PASSWORD '[REDACTED]'"],
  [
    '… with a quote',
    "ALTER ROLE app ENCRYPTED PASSWORD 'hun''ter2';",
    "ALTER ROLE app ENCRYPTED PASSWORD '[REDACTED]';",
  ],
  ['… cut off', "create user app password 'hunter2 and", "create user app password '[REDACTED]'"],
  ["MySQL's IDENTIFIED BY", "IDENTIFIED BY 'hunter2' x", "IDENTIFIED BY '[REDACTED]' x"],
  ['a SCRAM verifier', 'x SCRAM-SHA-256$4096:c2FsdA==$c3RvcmVk:c2VydmVy y', 'x [REDACTED] y'],
  ['an md5 verifier', "'md53175bce1d3201d16594cebf9d7eb3f9d'", "'[REDACTED]'"],
  [
    'a crypt hash',
    'app:$6$rounds=5000$usesomesillystri$D4IrlXatmP7rx3P3InaxBeoomnAihCKRVQAr:1',
    'app:[REDACTED]:1',
  ],
  ['a cookie header', 'Cookie: sid=abcdef; theme=dark', 'Cookie: [REDACTED]'],
  [
    'a header that sets one',
    '< set-cookie: sid=abcdef; Path=/; HttpOnly\r\n< x: y',
    '< set-cookie: [REDACTED]\r\n< x: y',
  ],
  ['headers in JSON', '{"Cookie":"a=b; c=d","Host":"h"}', '{"Cookie":"[REDACTED]","Host":"h"}'],
  ['a header as an argument', "curl -H 'Cookie: a=b; c=d' http://h", "curl -H 'Cookie: [REDACTED]' http://h"],
  ['an unusual scheme', 'Authorization: Token abc def', 'Authorization: [REDACTED]'],
  ['a bearer token', 'Authorization: Bearer abcdef0123456789', 'Authorization: Bearer [REDACTED]'],
  ['a proxy header', 'proxy-authorization: Basic dXNlcjpwdw==', 'proxy-authorization: Basic [REDACTED]'],
  ['DB_PASS=', 'DB_PASS=s3cr3t-x next', 'DB_PASS=[REDACTED] next'],
  ['SECRET_KEY=', 'SECRET_KEY=a&b;c', 'SECRET_KEY=[REDACTED]'],
  ['camelCase', 'clientSecret: "a b c"', 'clientSecret: "[REDACTED]"'],
  [
    'a quoted value with spaces',
    'password="correct horse battery" user=app',
    'password="[REDACTED]" user=app',
  ],
  ['a single quoted one', "DB_PASSWORD='correct horse' x", "DB_PASSWORD='[REDACTED]' x"],
  ['an escaped quote inside', '{"password":"a\\"b c","x":1}', '{"password":"[REDACTED]","x":1}'],
  [
    'JSON within JSON',
    '"{\\"password\\":\\"a b c\\",\\"x\\":1}"',
    '"{\\"password\\":\\"[REDACTED]\\",\\"x\\":1}"',
  ],
  ['a hash rocket', ":api_key => 'a b'", ":api_key => '[REDACTED]'"],
  ['a query string', 'GET /x?access_token=abcdef&page=2 200', 'GET /x?access_token=[REDACTED]&page=2 200'],
  ['a name with dots', 'spring.datasource.password=hunter2', 'spring.datasource.password=[REDACTED]'],
  ['an AWS key', 'AWS_SECRET_ACCESS_KEY=abc/def+ghi', 'AWS_SECRET_ACCESS_KEY=[REDACTED]'],
  ['a URL without a user', 'redis://:hunter2@cache:6379/0', 'redis://:[REDACTED]@cache:6379/0'],
  ['a URL password with @', 'postgres://app:p@ss@w0rd@db/x', 'postgres://app:[REDACTED]@db/x'],
  ['a URL password with /', 'amqp://app:p/w?d#@mq/x', 'amqp://app:[REDACTED]@mq/x'],
  ['a token for a user', `https://${LETTERS}@git.example.com/x`, 'https://[REDACTED]@git.example.com/x'],
  ['a bare JWT', `user ${JWT} ok`, 'user [REDACTED] ok'],
  ...['ghp_', 'github_pat_', 'xoxb-', 'glpat-', 'sk_live_', 'npm_', 'lamp_', 'SG.', 'sk-', 'hf_'].map(
    (prefix) => [`a token of ${prefix}`, `found ${token(prefix)}, why`, 'found [REDACTED], why'] as const,
  ),
  ['an AWS key id', `key ${token('AKIA', 0)}ABCDEFGHIJKLMNOP.`, 'key [REDACTED].'],
  [
    'a PGP key',
    '-----BEGIN PGP PRIVATE KEY BLOCK-----\nabc\n-----END PGP PRIVATE KEY BLOCK-----',
    '-----BEGIN PGP PRIVATE KEY BLOCK----- [REDACTED]',
  ],
])('hides the secret in %s', (_name, text, expected) => {
  expect(redactPatterns(text)).toBe(expected);
});

test.each([
  'compass: north-west',
  'Failed password for root from 10.0.0.1',
  'password authentication failed for user "app"',
  'the secret is out',
  'session opened for user root',
  'listening on http://127.0.0.1:8080/a@b',
  'GET http://host:8080/users/ada@example.com 200',
  'PASSWORD_FILE=/run/secrets/db',
  'max_tokens: 4096',
  'key: value',
  'Accepted publickey for ada',
  'foreign key: users_id_fkey',
  'commit 3175bce1d3201d16594cebf9d7eb3f9d',
  'SELECT password FROM users',
  'sk-learn 1.2',
  'tests: 12 passed, pass: 12',
])('leaves "%s"', (text) => {
  expect(redactPatterns(text)).toBe(text);
});

// Each would take minutes with a pattern that backtracks.
test.each([
  ['schemes', `${'a'.repeat(500_000)}://${'b:'.repeat(250_000)}`],
  ['users', '://a:'.repeat(200_000)],
  ['keys', '-----BEGIN PRIVATE KEY-----'.repeat(40_000)],
  ['names', 'password='.repeat(110_000)],
  ['quotes', 'password="'.repeat(100_000)],
  ['mixed quotes', `password="a' secret='b" `.repeat(40_000)],
  ['backslashes', `password="${'\\'.repeat(1_000_000)}`],
  ['escaped quotes', `password="${'\\"'.repeat(500_000)}`],
  ['deeper quotes', `password=\\"${'\\\\"'.repeat(300_000)}`],
  ['tokens', 'eyJ'.repeat(330_000)],
  ['tokens apart', '-eyJa'.repeat(200_000)],
  ['dots', `eyJaaaaa${'.aaaa'.repeat(200_000)}`],
  ['spaces', `password${' '.repeat(1_000_000)}`],
  ['SQL', "PASSWORD '".repeat(100_000)],
  ['verifiers', 'SCRAM-SHA-256$1:'.repeat(60_000)],
  ['hashes', '$6$'.repeat(330_000)],
  ['prefixes', 'sk-'.repeat(330_000)],
  ['cookies', 'cookie:'.repeat(140_000)],
])('a megabyte of %s does not keep it', (_name, text) => {
  expect(redactPatterns(text).length).toBeGreaterThan(0);
});
