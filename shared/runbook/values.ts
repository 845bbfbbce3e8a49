// Values that have the right shape and can still never work: a schedule that never comes, an address that is a URL.
import { Cron } from 'croner';
import * as z from 'zod';
import type { Path, RunbookFault } from './fault.ts';
import { parseJsonPath } from './json-path.ts';
import { nearestName, shortName } from './nearest-name.ts';

// As far as it has the right shape: values are checked even when the rest of the document has faults.
const text = z.string().optional().catch(undefined);
const section = <T extends z.ZodType>(entry: T) =>
  z.record(z.string(), entry.optional().catch(undefined)).catch({});
const Values = z.lazy(() =>
  z.object({
    hosts: section(z.object({ address: text })),
    checks: section(z.object({ http: z.object({ url: text, jsonPath: text }).optional().catch(undefined) })),
    backup: z.object({ schedule: text }).optional().catch(undefined),
  }),
);

const HOST_NAME =
  /^(?=.{1,253}$)([a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?\.)*[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?\.?$/i;
const ONLY_NUMBERS = /^[\d.]+$/;

function isIpv6(text: string): boolean {
  return z.ipv6().safeParse(text).success;
}

function isAddress(text: string): boolean {
  if (isIpv6(text) || z.ipv4().safeParse(text).success) return true;
  return HOST_NAME.test(text) && !ONLY_NUMBERS.test(text);
}

/** What would be right, for what is none. */
function addressHint(address: string): string {
  const inner = /^\[(.*)\]$/.exec(address)?.[1];
  if (inner !== undefined && isIpv6(inner)) return `Write it without brackets: "${inner}".`;
  const url = address.includes('://') ? URL.parse(address) : URL.parse(`http://${address.trim()}`);
  const host = url?.hostname.replace(/^\[|\]$/g, '') ?? '';
  return isAddress(host) && host !== address
    ? `Write only the name or the address: "${shortName(host)}". Ports and paths belong to the checks.`
    : 'Write a DNS name such as web.example.com, or an IP address.';
}

function* addressFault(path: Path, address: string | undefined): Generator<RunbookFault> {
  // The schema tells an empty one.
  if (!address || isAddress(address)) return;
  const message = `"${shortName(address)}" is not a DNS name or an IP address`;
  yield { path, message, hint: addressHint(address) };
}

function* urlFaults(path: Path, url: string | undefined): Generator<RunbookFault> {
  // The schema tells what does not begin like a URL.
  if (url === undefined || !/^https?:\/\//.test(url)) return;
  for (const [whole, name = ''] of url.matchAll(/\{([^{}]*)\}/g)) {
    if (name === 'address') continue;
    const isNear = nearestName(name, ['address']) !== undefined;
    const hint = isNear
      ? 'Did you mean "{address}"?'
      : 'The only placeholder is "{address}": the address of the host of the check.';
    yield { path, message: `unknown placeholder "${shortName(whole)}"`, hint };
    return;
  }
  if (!URL.canParse(url.replaceAll('{address}', '192.0.2.1'))) {
    const hint = 'Write a URL such as "http://{address}:8080/health".';
    yield { path, message: `"${shortName(url)}" is not a URL`, hint };
  }
}

function jsonPathHint(path: string): string {
  if (path.includes('*')) return 'Name one element instead of all: "engines[0].id".';
  if (path.lastIndexOf('[') > path.lastIndexOf(']')) return 'The last bracket is not closed: "engines[0]".';
  return 'Write names with dots and positions in brackets: "engines[0].id", or names in quotes: "data["a key"]".';
}

function* jsonPathFault(path: Path, jsonPath: string | undefined): Generator<RunbookFault> {
  if (jsonPath === undefined || parseJsonPath(jsonPath)) return;
  yield {
    path,
    message: `"${shortName(jsonPath)}" is not a path into JSON`,
    hint: jsonPathHint(jsonPath),
  };
}

/** Any year that is followed by a leap year within the search: a schedule of 29 February does come. */
const SEARCHED_FROM = new Date('2001-01-01T00:00:00Z');
const CRON_HINT = 'Five fields, e.g. "0 2 * * *" for 02:00 every day.';

function* scheduleFault(path: Path, schedule: string | undefined): Generator<RunbookFault> {
  if (schedule === undefined) return;
  try {
    const cron = new Cron(schedule, { paused: true, mode: '5-part', timezone: 'UTC' });
    if (cron.nextRun(SEARCHED_FROM)) return;
    const message = `the schedule "${shortName(schedule)}" never comes: no month has this day`;
    yield { path, message, hint: CRON_HINT };
  } catch {
    yield { path, message: `"${shortName(schedule)}" is not a cron expression`, hint: CRON_HINT };
  }
}

/** All values that can't work. */
export function* valueFaults(document: unknown): Generator<RunbookFault> {
  const parsed = Values.safeParse(document);
  if (!parsed.success) return;
  const { hosts, checks, backup } = parsed.data;
  for (const [name, host] of Object.entries(hosts))
    yield* addressFault(['hosts', name, 'address'], host?.address);
  for (const [name, check] of Object.entries(checks)) {
    yield* urlFaults(['checks', name, 'http', 'url'], check?.http?.url);
    yield* jsonPathFault(['checks', name, 'http', 'jsonPath'], check?.http?.jsonPath);
  }
  yield* scheduleFault(['backup', 'schedule'], backup?.schedule);
}
