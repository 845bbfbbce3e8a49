// The result of one look at a target, for every kind of check.

import { oneLine } from '../../one-line.ts';

/** `unknown`: the watcher itself could not look, which says nothing about the target. */
export type Verdict = 'good' | 'bad' | 'unknown';

export interface LookResult {
  verdict: Verdict;
  /** Why, for people: `status 502, expected 200`. One line. */
  reason: string;
  /** From the beginning to the end of the look; null without an answer. */
  latencyMs: number | null;
  /**
   * True for a bad verdict that the watcher's own broken network would cause too (no route, no DNS). The verdict counts
   * as unknown unless another check of the same run got through.
   */
  isPerhapsOurs?: boolean;
}

/** The result of a look that got no answer, from the error of the network stack. */
export function failedLook(error: unknown, target: string): LookResult {
  const code = codeOf(error);
  if (OWN_FAULTS.has(code)) {
    return { verdict: 'unknown', reason: `the watcher could not look: ${code}`, latencyMs: null };
  }
  if (code === 'ENETUNREACH') return perhapsOurs('no route to the network');
  if (code === 'EAI_AGAIN') return perhapsOurs(`name ${target} could not be resolved: no answer from DNS`);
  return { verdict: 'bad', reason: reasonOf(code, error, target), latencyMs: null };
}

/** The watcher's own limits and local refusals (errno(3)). */
const OWN_FAULTS = new Set([
  'EMFILE',
  'ENFILE',
  'ENOMEM',
  'ENOBUFS',
  'EADDRNOTAVAIL',
  'ENETDOWN',
  'EACCES',
  'EPERM',
]);

function perhapsOurs(reason: string): LookResult {
  return { verdict: 'bad', reason, latencyMs: null, isPerhapsOurs: true };
}

const REASONS: Record<string, string> = {
  ECONNREFUSED: 'connect refused',
  ECONNRESET: 'connection closed before an answer',
  EPIPE: 'connection closed before an answer',
  EHOSTUNREACH: 'host unreachable',
  EHOSTDOWN: 'host unreachable',
  ETIMEDOUT: 'no answer: the connection timed out',
  CERT_HAS_EXPIRED: 'TLS certificate has expired',
  CERT_NOT_YET_VALID: 'TLS certificate is not valid yet',
  DEPTH_ZERO_SELF_SIGNED_CERT: 'TLS certificate is self-signed',
  SELF_SIGNED_CERT_IN_CHAIN: 'TLS certificate comes from an authority of its own that is not trusted',
  UNABLE_TO_GET_ISSUER_CERT_LOCALLY: 'TLS certificate has an unknown issuer',
  UNABLE_TO_VERIFY_LEAF_SIGNATURE: 'TLS certificate has an unknown issuer, or the server leaves it out',
  ERR_SSL_WRONG_VERSION_NUMBER: 'TLS handshake failed: the port does not speak TLS',
  ERR_SSL_PACKET_LENGTH_TOO_LONG: 'TLS handshake failed: the port does not speak TLS',
};

function reasonOf(code: string, error: unknown, target: string): string {
  const known = REASONS[code];
  if (known !== undefined) return known;
  if (code === 'ENOTFOUND') return `name ${target} not found`;
  if (code === 'ERR_TLS_CERT_ALTNAME_INVALID') return `TLS certificate is not for ${target}`;
  const message = oneLine(error instanceof Error ? error.message : String(error));
  if (code.startsWith('HPE_')) return `answer is not HTTP: ${message}`;
  if (code.startsWith('ERR_SSL_') || code === 'EPROTO') return `TLS handshake failed: ${message}`;
  return code === '' ? message : `${code}: ${message}`;
}

function codeOf(error: unknown): string {
  return error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : '';
}

/** Milliseconds to one decimal. */
export function roundMs(ms: number): number {
  return Math.round(ms * 10) / 10;
}

/**
 * How long one address of a name is tried before the next: Node's own 250 ms are short across an ocean, and more than a
 * second is lost on an address that does not answer.
 */
export function attemptTimeoutMs(timeoutMs: number): number {
  return Math.max(10, Math.min(1000, Math.floor(timeoutMs / 2)));
}
