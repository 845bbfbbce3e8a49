// HTTP checks: one request, no redirects followed, the answer held against what the runbook expects of it.
import { type ClientRequest, type IncomingMessage, request as requestHttp } from 'node:http';
import { request as requestHttps } from 'node:https';
import type { HttpCheck } from '#shared/runbook/schema.ts';
import { oneLine } from '../../one-line.ts';
import { hasValueAt, parseJsonPath } from './json-path.ts';
import { type Finding, findingOf, roundMs } from './verdict.ts';

export interface HttpTarget {
  address: string;
  check: HttpCheck;
  timeoutMs: number;
}

/** What is read of a body; more is hung up on. */
export const MAX_CHECKED_BODY_BYTES = 1024 * 1024;

interface Answer {
  status: number;
  location: string | undefined;
  body: Buffer;
  isWhole: boolean;
  latencyMs: number;
}

/** The check's URL with the host's address put in. */
function urlOf(template: string, address: string): URL | undefined {
  const host = address.includes(':') && !address.startsWith('[') ? `[${address}]` : address;
  return URL.parse(template.replaceAll('{address}', host)) ?? undefined;
}

/** Asks once. Never rejects. */
export async function probeHttp({ address, check, timeoutMs }: HttpTarget): Promise<Finding> {
  const url = urlOf(check.url, address);
  if (!url) return notAsked(`not a URL: ${oneLine(check.url)}`);
  if (check.jsonPath !== undefined && !parseJsonPath(check.jsonPath)) {
    return notAsked(`not a path into JSON: ${oneLine(check.jsonPath)}`);
  }
  const answer = await ask(url, timeoutMs);
  return 'verdict' in answer ? answer : judgeAnswer(answer, check);
}

function notAsked(reason: string): Finding {
  return { verdict: 'unknown', reason: `the check can't be made: ${reason}`, latencyMs: null };
}

function open(url: URL): ClientRequest {
  const options = {
    agent: false,
    headers: { 'user-agent': 'lamplighter-watch/1', accept: '*/*', 'accept-encoding': 'identity' },
  };
  return url.protocol === 'https:' ? requestHttps(url, options) : requestHttp(url, options);
}

/** The answer with its body up to the limit, or a finding when there was none in time. */
function ask(url: URL, timeoutMs: number): Promise<Answer | Finding> {
  const target = url.hostname.replace(/^\[|\]$/g, '');
  return new Promise((resolve) => {
    const startedAt = performance.now();
    let missing = 'connection';
    const request = open(url);
    const finish = (outcome: Answer | Finding): void => {
      clearTimeout(timer);
      resolve(outcome);
      request.destroy();
    };
    // One clock over look-up, connecting, TLS and the whole answer.
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
    request.on('error', (error) => finish(findingOf(error, target)));
    request.end();
  });
}

function collect(
  response: IncomingMessage,
  startedAt: number,
  finish: (outcome: Answer | Finding) => void,
): void {
  const parts: Buffer[] = [];
  let bytes = 0;
  const answer = (isWhole: boolean): Answer => ({
    status: response.statusCode ?? 0,
    location: response.headers.location,
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
  // Also comes late, from our own hanging up: by then the first outcome stands.
  response.on('error', () =>
    finish({ verdict: 'bad', reason: 'connection closed in the middle of the answer', latencyMs: null }),
  );
}

/** Holds an answer against the check; the first expectation that fails is the reason. */
function judgeAnswer(answer: Answer, check: HttpCheck): Finding {
  const { status, latencyMs } = answer;
  const fault = statusFault(answer, check) ?? textFault(answer, check) ?? jsonFault(answer, check);
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

function textFault({ body, isWhole }: Answer, { bodyContains }: HttpCheck): string | undefined {
  if (bodyContains === undefined || body.includes(bodyContains)) return undefined;
  const where = isWhole ? 'body' : 'first MiB of the body';
  return `${where} does not contain "${oneLine(bodyContains)}"`;
}

function jsonFault({ body, isWhole }: Answer, { jsonPath }: HttpCheck): string | undefined {
  if (jsonPath === undefined) return undefined;
  if (!isWhole) return 'body is larger than 1 MiB and was not read as JSON';
  const parsed = parseJson(body.toString('utf8'));
  if (!parsed) return 'body is not JSON';
  return hasValueAt(parsed.value, parseJsonPath(jsonPath) ?? []) ? undefined : `body has no ${jsonPath}`;
}

function parseJson(text: string): { value: unknown } | undefined {
  try {
    return { value: JSON.parse(text) };
  } catch {
    return undefined;
  }
}
