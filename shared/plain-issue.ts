// What zod found wrong with a value, in words for people: its own texts never reach them.
import * as z from 'zod';
import { messageOf } from './errors.ts';

const TYPES: Readonly<Record<string, string>> = {
  string: 'a text',
  number: 'a number',
  int: 'a whole number',
  boolean: 'true or false',
  array: 'a list',
  object: 'a mapping',
  record: 'a mapping',
};

const FORMATS: Readonly<Record<string, string>> = {
  uuid: 'not an id such as 0197c2aa-0000-7000-8000-000000000001',
  datetime: 'not a time in UTC such as 2026-11-23T08:00:00Z',
  url: 'not an address such as https://example.com',
};

/** A message that a schema gives itself is a plain sentence already; zod's own begin like these. */
const ZODS_OWN = /^(Invalid|Too (big|small)|Unrecognized|Expected|Required)\b/;

const ANY_FORM = 'it is not in the form that it must have';

const MOST_TOLD = 10;

/** What zod found: a `ZodError`, or some of one's issues. */
type Found = Pick<z.ZodError, 'issues'>;

/** Each fault with its place: `heartbeatEveryMs: it must be a whole number`. A fault of the value itself has `whole`, if any. */
export function listFaults({ issues }: Found, whole = ''): string[] {
  return issues.map((issue) => {
    const place = issue.path.join('.') || whole;
    return place === '' ? describeIssue(issue) : `${place}: ${describeIssue(issue)}`;
  });
}

/** The first faults as one text: `heartbeatEveryMs: it must be a whole number; the file: unknown "hots"`. */
export function describeFaults({ issues }: Found, whole?: string): string {
  return listFaults({ issues: issues.slice(0, MOST_TOLD) }, whole).join('; ');
}

/** The first fault alone. */
export function describeFault({ issues }: Found, whole?: string): string {
  return describeFaults({ issues: issues.slice(0, 1) }, whole);
}

/** The faults when zod threw them, else the message: for what reads and parses in one go. */
export function describeThrown(thrown: unknown, whole: string): string {
  return thrown instanceof z.ZodError ? describeFaults(thrown, whole) : messageOf(thrown);
}

/** One issue as the end of a sentence: `it is missing`, `it must be a whole number`. */
export function describeIssue(issue: z.core.$ZodIssue): string {
  if (issue.code === 'invalid_key' && issue.issues[0]) return describeIssue(issue.issues[0]);
  if (!ZODS_OWN.test(issue.message)) return issue.message;
  if (issue.code === 'invalid_type') return describeType(issue);
  if (issue.code === 'invalid_format') return FORMATS[issue.format] ?? ANY_FORM;
  return describeValue(issue);
}

/** What is wrong with a value that is of the right type. */
function describeValue(issue: z.core.$ZodIssue): string {
  if (issue.code === 'too_small') return describeBound('at least', issue.origin, issue.minimum);
  if (issue.code === 'too_big') return describeBound('at most', issue.origin, issue.maximum);
  if (issue.code === 'invalid_value') return `it must be ${issue.values.map(String).join(' or ')}`;
  if (issue.code === 'invalid_union' && 'note' in issue) return 'it is not one of the kinds that are known';
  if (issue.code === 'unrecognized_keys') return `unknown ${issue.keys.map((key) => `"${key}"`).join(', ')}`;
  return ANY_FORM;
}

function describeType({ expected, message }: z.core.$ZodIssueInvalidType): string {
  // zod tells a value that is missing from one of another type by its own words only.
  if (message.endsWith('received undefined')) return 'it is missing';
  return `it must be ${TYPES[expected] ?? expected}`;
}

function describeBound(relation: string, origin: string, bound: number | bigint): string {
  const unit = origin === 'string' ? ' characters long' : origin === 'array' ? ' entries long' : '';
  return `it must be ${relation} ${bound}${unit}`;
}
