// service.logs and service.follow: what a service wrote to the journal.

import * as z from 'zod';
import { Timestamp, UnitName } from '../names.ts';
import { type Policy, relayOrigin } from '../policy/policy.ts';
import { ALLOWED, defineOperation, forbid, type PolicyVerdict } from './definition.ts';
import { findService, nameInParams, permitUnit, ServiceName } from './service.ts';

/** A journal says more than a state: redaction can't know everything that a service prints. */
const JOURNAL_ROLE = 'responder';

/** syslog(3)'s names; journald has them as numbers, 0 to 7. */
export const LOG_PRIORITIES = [
  'emerg',
  'alert',
  'crit',
  'err',
  'warning',
  'notice',
  'info',
  'debug',
] as const;
const LogPriority = z.enum(LOG_PRIORITIES);

/** Plain text: it is looked for in what a caller may see, so that nobody can find a secret out by guessing it. */
const SearchText = z
  .string()
  .min(1)
  .max(200)
  .regex(/^\P{Cc}+$/u, 'a text to look for is one line');

/** At most so many entries are looked through for a text, the newest. */
export const MAX_SEARCHED = 20_000;

const LineCount = z.int().min(1).max(2000);
const LogParams = z.strictObject({
  service: ServiceName,
  lines: LineCount.default(50).describe('how many lines, the newest'),
  since: Timestamp.optional().describe('only lines after this time'),
  until: Timestamp.optional().describe('only lines before this time'),
  priority: LogPriority.optional().describe('only lines of this priority or a worse one'),
  grep: SearchText.optional().describe('only lines that have this text, in upper or lower case'),
});

export const LogLine = z.lazy(() =>
  z.strictObject({
    at: Timestamp,
    /** syslog priority, 0 (emerg) to 7 (debug). */
    priority: z.int().min(0).max(7),
    message: z.string(),
  }),
);
export type LogLine = z.infer<typeof LogLine>;

function permitRelay(relayUrl: string, { relays }: Policy): PolicyVerdict {
  const origin = relayOrigin(relayUrl) ?? relayUrl;
  if (relays.includes(origin)) return ALLOWED;
  const detail = `the host's policy does not allow the agent to dial ${origin}`;
  return forbid('not-in-policy', detail, `"- ${origin}" under "relays:"`);
}

export const serviceLogs = defineOperation({
  name: 'service.logs',
  summary: "Read a service's journal",
  risk: 'read',
  role: JOURNAL_ROLE,
  params: LogParams,
  spec: z.lazy(() =>
    z.strictObject({
      unit: UnitName,
      lines: LineCount,
      since: Timestamp.optional(),
      until: Timestamp.optional(),
      priority: LogPriority.optional(),
      grep: SearchText.optional(),
    }),
  ),
  result: z.lazy(() =>
    z.strictObject({
      lines: z.array(LogLine),
      /** Older lines that match did not fit. */
      truncated: z.boolean(),
      /** Set when the search for a text ended before the oldest entry: how many entries it looked at, the newest. */
      searched: z.int().optional(),
    }),
  ),
  timeoutMs: 30_000,
  canonical: nameInParams,
  resolve: ({ service, ...query }, context) => {
    const { host, unit } = findService(service, context);
    return { host, spec: { unit, ...query } };
  },
  permit: (spec, policy) => permitUnit(spec.unit, 'logs', policy),
});

export const serviceFollow = defineOperation({
  name: 'service.follow',
  summary: "Follow a service's journal live",
  risk: 'read',
  role: JOURNAL_ROLE,
  params: z.strictObject({
    service: ServiceName,
    lines: z.int().min(0).max(500).default(10).describe('how many lines of before to begin with'),
    ticket: z
      .string()
      .regex(/^[A-Za-z0-9_-]{43}$/)
      .describe('id of the live ticket; what opens it is put in its place when the command is signed'),
    relayUrl: z.url({ protocol: /^wss?$/ }).describe('where the agent dials out to'),
  }),
  spec: z.lazy(() =>
    z.strictObject({
      unit: UnitName,
      lines: z.int().min(0).max(500),
      /** The agent's half of the ticket; its id until the command is signed. */
      ticket: z.string(),
      relayUrl: z.url({ protocol: /^wss?$/ }),
    }),
  ),
  result: z.lazy(() => z.strictObject({ linesSent: z.int() })),
  timeoutMs: 60 * 60_000,
  isStream: true,
  // Where the agent dials out to is not for a caller to say: a ticket is asked for instead.
  askedBy: ['token'],
  canonical: nameInParams,
  resolve: ({ service, lines, ticket, relayUrl }, context) => {
    const { host, unit } = findService(service, context);
    return { host, spec: { unit, lines, ticket, relayUrl } };
  },
  permit: (spec, policy) => {
    const verdict = permitUnit(spec.unit, 'logs', policy);
    return verdict.allowed ? permitRelay(spec.relayUrl, policy) : verdict;
  },
});
