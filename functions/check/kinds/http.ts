// HTTP checks: one request, no redirects followed, the answer held against what the runbook expects of it. It is judged as
// curl would judge it: any port, a lenient parser, packed bodies unpacked.
import { type ClientRequest, type IncomingMessage, request as requestHttp } from 'node:http';
import { request as requestHttps } from 'node:https';
import { parseJsonPath } from '#shared/runbook/json-path.ts';
import type { HttpCheck } from '#shared/runbook/schema.ts';
import { oneLine } from '../../one-line.ts';
import { parseCodings, unpackBody } from './body-coding.ts';
import { attemptTimeoutMs, failedLook, type LookResult, roundMs } from './look-result.ts';

export interface HttpTarget {
  address: string;
  check: HttpCheck;
  timeoutMs: number;
}

/** Most bytes that are read of a body; the connection of a longer one is closed. */
export const MAX_CHECKED_BODY_BYTES = 1024 * 1024;

/** The limit of curl. */
const MAX_HEADER_BYTES = 300 * 1024;
interface Answer {
  status: number;
  location: string | undefined;
  /** As it was received, perhaps packed. */
  body: Buffer;
  codings: string[];
  isWhole: boolean;
  latencyMs: number;
}

/** The check's URL with the host's address put in. */
function urlOf(template: string, address: string): URL | undefined {
  const host = address.includes(':') && !address.startsWith('[') ? `[${address}]` : address;
  return URL.parse(template.replaceAll('{address}', host)) ?? undefined;
}

/** Sends one request. Never rejects. */
export async function lookHttp({ address, check, timeoutMs }: HttpTarget): Promise<LookResult> {
  const url = urlOf(check.url, address);
  if (!url) return notAsked(`not a URL: ${oneLine(check.url)}`);
  if (check.jsonPath !== undefined && !parseJsonPath(check.jsonPath)) {
    return notAsked(`not a path into JSON: ${oneLine(check.jsonPath)}`);
  }
  const answer = await ask(url, timeoutMs);
  return 'verdict' in answer ? answer : judgeAnswer(answer, check);
}

function notAsked(reason: string): LookResult {
  return { verdict: 'unknown', reason: `the check can't be made: ${reason}`, latencyMs: null };
}

function open(url: URL, timeoutMs: number): ClientRequest {
  const options = {
    agent: false,
    // A target with malformed headers is not down; and nothing else uses this connection.
    insecureHTTPParser: true,
    maxHeaderSize: MAX_HEADER_BYTES,
    autoSelectFamilyAttemptTimeout: attemptTimeoutMs(timeoutMs),
    headers: { 'user-agent': 'lamplighter-watch/1', accept: '*/*', 'accept-encoding': 'identity' },
  };
  return url.protocol === 'https:' ? requestHttps(url, options) : requestHttp(url, options);
}

/** The answer with its body up to the limit, or a result without an answer when none came in time. */
function ask(url: URL, timeoutMs: number): Promise<Answer | LookResult> {
  const target = url.hostname.replace(/^\[|\]$/g, '');
  return new Promise((resolve) => {
    const startedAt = performance.now();
    let missing = 'connection';
    const request = open(url, timeoutMs);
    const finish = (outcome: Answer | LookResult): void => {
      clearTimeout(timer);
      resolve(outcome);
      request.destroy();
    };
    // One time-out for name look-up, connection, TLS and the whole answer.
    const timer = setTimeout(
      () => finish({ verdict: 'bad', reason: `no ${missing} within ${timeoutMs} ms`, latencyMs: null }),
      timeoutMs,
    );
    request.once('socket', (socket) => {
      const event = url.protocol === 'https:' ? 'secureConnect' : 'connect';
      socket.once(event, () => {
        missing = 'answer';
      });
    });
    request.once('response', (response) => {
      missing = 'end of the answer';
      collect(response, startedAt, finish);
    });
    request.on('error', (error) => finish(failedLook(error, target)));
    request.end();
  });
}

function collect(
  response: IncomingMessage,
  startedAt: number,
  finish: (outcome: Answer | LookResult) => void,
): void {
  const parts: Buffer[] = [];
  let bytes = 0;
  const answer = (isWhole: boolean): Answer => ({
    status: response.statusCode ?? 0,
    location: response.headers.location,
    codings: parseCodings(response.headers['content-encoding']),
    body: Buffer.concat(parts),
    isWhole,
    latencyMs: roundMs(performance.now() - startedAt),
  });
  response.on('data', (part: Buffer) => {
    const room = MAX_CHECKED_BODY_BYTES - bytes;
    parts.push(part.subarray(0, room));
    bytes += part.byteLength;
    if (part.byteLength > room) finish(answer(false));
  });
  response.once('end', () => finish(answer(true)));
  // Our own closing of the connection causes a late error; only the first outcome counts.
  response.on('error', () =>
    finish({ verdict: 'bad', reason: 'connection closed in the middle of the answer', latencyMs: null }),
  );
}

/** Holds an answer against the check; the first expectation that fails is the reason. */
function judgeAnswer(answer: Answer, check: HttpCheck): LookResult {
  const { status, latencyMs } = answer;
  const fault = statusFault(answer, check) ?? bodyFault(answer, check);
  if (fault !== undefined) return { verdict: 'bad', reason: fault, latencyMs };
  if (check.maxLatencyMs !== undefined && latencyMs > check.maxLatencyMs) {
    return {
      verdict: 'bad',
      reason: `answered after ${Math.ceil(latencyMs)} ms, allowed ${check.maxLatencyMs} ms`,
      latencyMs,
    };
  }
  return { verdict: 'good', reason: `status ${status} in ${latencyMs} ms`, latencyMs };
}

function statusFault({ status, location }: Answer, check: HttpCheck): string | undefined {
  if (status === check.status) return undefined;
  const target = location === undefined ? '' : ` (redirect to ${oneLine(location)})`;
  return `status ${status}${target}, expected ${check.status}`;
}

/** Reads the body only when the check expects something of it. */
function bodyFault({ body, isWhole, codings }: Answer, check: HttpCheck): string | undefined {
  if (check.bodyContains === undefined && check.jsonPath === undefined) return undefined;
  if (codings.length === 0) return contentFault({ body, isWhole }, check);
  if (!isWhole) return 'body is larger than 1 MiB as it was sent, and was not unpacked';
  const unpacked = unpackBody(body, codings);
  if ('fault' in unpacked) return unpacked.fault;
  const shown = unpacked.body.subarray(0, MAX_CHECKED_BODY_BYTES);
  return contentFault({ body: shown, isWhole: shown.byteLength === unpacked.body.byteLength }, check);
}

type Content = Pick<Answer, 'body' | 'isWhole'>;

function contentFault(content: Content, check: HttpCheck): string | undefined {
  return textFault(content, check) ?? jsonFault(content, check);
}

function textFault({ body, isWhole }: Content, { bodyContains }: HttpCheck): string | undefined {
  if (bodyContains === undefined || body.includes(bodyContains)) return undefined;
  const where = isWhole ? 'body' : 'first MiB of the body';
  return `${where} does not contain "${oneLine(bodyContains)}"`;
}

function jsonFault({ body, isWhole }: Content, { jsonPath }: HttpCheck): string | undefined {
  if (jsonPath === undefined) return undefined;
  if (!isWhole) return 'body is larger than 1 MiB and was not read as JSON';
  const parsed = parseJson(body.toString('utf8'));
  if (!parsed) return 'body is not JSON';
  return hasValueAt(parsed.value, parseJsonPath(jsonPath) ?? []) ? undefined : `body has no ${jsonPath}`;
}

function parseJson(text: string): { value: unknown } | undefined {
  try {
    // A byte order mark is not JSON, but parsers may ignore one (RFC 8259, section 8.1).
    return { value: JSON.parse(text.replace(/^\uFEFF/, '')) };
  } catch {
    return undefined;
  }
}

/** True when the value is there and not null. Only own keys of objects and elements of arrays count. */
export function hasValueAt(value: unknown, steps: readonly (string | number)[]): boolean {
  let current = value;
  for (const step of steps) {
    if (typeof current !== 'object' || current === null) return false;
    if (typeof step === 'number' && !Array.isArray(current)) return false;
    const entry = Object.getOwnPropertyDescriptor(current, step);
    if (!entry) return false;
    current = entry.value;
  }
  return current !== null && current !== undefined;
}
