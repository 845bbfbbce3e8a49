// Redacts what looks like a secret, behind the redaction of known values. Every pattern is bounded, so that no
// text makes a search slow.
import { redactAssignments } from './assignments.ts';
import { MARK } from './values.ts';

// Each keeps what names the secret and replaces the secret itself.
const PATTERNS: readonly [RegExp, string][] = [
  [
    /-----BEGIN ([A-Z ]{0,40}PRIVATE KEY(?: BLOCK)?)-----[\s\S]*?(-----END \1-----|$)/g,
    `-----BEGIN $1----- ${MARK}`,
  ],
  // user:password@ in an address, the password up to the last @; not a port and a path that has one.
  [/(:\/\/[^\s:/@"'<>]{0,200}:)(?!\d{1,5}(?:[/?#]|$))[^\s"'<>]{1,500}@/g, `$1${MARK}@`],
  // A token in place of a user.
  [/(:\/\/)[^\s:/@"'<>]{16,500}@/g, `$1${MARK}@`],
  [/\b(Bearer|Basic|Digest|Negotiate)\s+[A-Za-z0-9._~+/=-]{8,}/gi, `$1 ${MARK}`],
  // SQL
  [/(\bPASSWORD\s{1,9}(?:E|U&)?)'(?:[^']|''){0,2000}(?:'|$)/gi, `$1'${MARK}'`],
  [
    /(\bIDENTIFIED\s{1,9}(?:WITH\s{1,9}\S{1,64}\s{1,9})?(?:BY|AS)\s{1,9})(['"])[^'"]{0,2000}(?:['"]|$)/gi,
    `$1$2${MARK}$2`,
  ],
  [/SCRAM-SHA-(?:1|256|512)\$\d{1,10}:[A-Za-z0-9+/=$:]{8,400}/g, MARK],
  [/(?<![A-Za-z0-9])md5[0-9a-f]{32}(?![0-9a-f])/g, MARK],
  // crypt(3): shadow, htpasswd
  [
    /\$(?:1|2[abxy]?|5|6|7|y|gy|apr1|argon2(?:id?|d)|pbkdf2[a-z0-9-]{0,20})\$[A-Za-z0-9./+=,$-]{16,400}/g,
    MARK,
  ],
  // JSON Web Token (RFC 7519)
  [
    /(?<![A-Za-z0-9_-])eyJ[A-Za-z0-9_-]{5,4000}\.[A-Za-z0-9_-]{4,8000}(?:\.[A-Za-z0-9_-]{0,4000}){0,3}/g,
    MARK,
  ],
  [/(?<![A-Za-z0-9])(?:AKIA|ASIA)[A-Z0-9]{16}(?![A-Za-z0-9])/g, MARK],
  [/\bAGE-SECRET-KEY-1[0-9A-Z]{20,}/gi, MARK],
];

/** Prefixes that issuers give their tokens so that they can be found, Lamplighter's among them. */
const TOKEN =
  /(?<![A-Za-z0-9])(?:lamp_|gh[opusr]_|github_pat_|glpat-|glptt-|gldt-|glrt-|xox[abeoprs]-|xapp-|(?:sk|rk|pk)_(?:live|test)_|whsec_|sk-|npm_|pypi-|dop_v1_|doo_v1_|shp(?:at|ca|pa|ss)_|hf_|lin_api_|figd_|dckr_pat_|SG\.|AIza|ya29\.|GOCSPX-)[A-Za-z0-9_.=-]{12,400}/g;

/** The text without what the patterns find. */
export function redactPatterns(text: string): string {
  const kept = PATTERNS.reduce((rest, [pattern, replacement]) => rest.replace(pattern, replacement), text);
  return redactAssignments(kept.replace(TOKEN, MARK));
}
