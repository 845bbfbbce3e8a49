// `lamp logs`: the journal's newest lines, or with -f the lines as they come.

import type { Command } from 'commander';
import * as z from 'zod';
import { LamplighterError } from '#shared/errors.ts';
import { LOG_PRIORITIES, serviceLogs } from '#shared/operations/logs.ts';
import { renderOutcome } from '../command/outcome.ts';
import { requestCommand } from '../command/request-command.ts';
import { waitForCommand } from '../command/wait-for-command.ts';
import { EXIT, exitCodeOfCommand } from '../exit.ts';
import { describeOperation } from '../operation/operation-verb.ts';
import { checkParameters } from '../operation/parameters.ts';
import { toJsonText } from '../output/json.ts';
import { renderLogLine } from '../output/log-line.ts';
import { quietProgress } from '../output/progress.ts';
import { addExamples, type Bind, type Session } from '../verb.ts';
import { viewContext } from '../view.ts';
import { tellLeftOut } from './results.ts';

interface LogsOptions {
  lines?: string;
  since?: string;
  until?: string;
  priority?: string;
  grep?: string;
  follow?: boolean;
}

const LinesOption = z.coerce.number().int();

export function define(command: Command, bind: Bind): void {
  describeOperation(command, serviceLogs);
  command
    .argument('<service>', "the service's name in the runbook, or its unit")
    .option('-n, --lines <n>', 'print the newest N lines (default 50, with -f 10)')
    .option('--since <when>', "only lines since this time: 10m, '2 hours ago', or 2026-11-23T08:00:00Z")
    .option('--until <when>', 'only lines before this time')
    .option('--priority <name>', `only lines of this priority or a worse one: ${LOG_PRIORITIES.join(', ')}`)
    .option('--grep <text>', 'only lines that have this text, in upper or lower case')
    .option(
      '-f, --follow',
      'print new lines as they arrive, until Ctrl-C; with --json each line is one JSON document',
    )
    .action(
      bind(async (session, service: string, { lines, follow, ...query }: LogsOptions) => {
        const count = lines === undefined ? undefined : readCount(lines);
        if (!follow) return showLogs(session, service, count, query);
        const [other] = Object.keys(query);
        if (other !== undefined) {
          throw new LamplighterError(
            'invalid-input',
            `follow logs: --${other} and -f can't be used together`,
            {
              hint: 'Use -n N to start with the last N lines.',
            },
          );
        }
        const { followLogs } = await import('./follow-logs.ts');
        return followLogs(session, service, count);
      }),
    );
  addExamples(
    command,
    'lamp logs web -n 200 --since 10m',
    'lamp logs web --priority warning --grep timeout',
    'lamp logs web -f',
  );
}

function readCount(word: string): number {
  const parsed = LinesOption.safeParse(word);
  if (parsed.success) return parsed.data;
  throw new LamplighterError('invalid-input', `read --lines ${word}: not a whole number`, {
    hint: 'For example -n 200.',
  });
}

type Query = Omit<LogsOptions, 'lines' | 'follow'>;

/** The parameters of a reading that say which lines. */
function readQuery({ since, until, priority, grep }: Query, nowMs: number): Record<string, string> {
  return {
    ...(since === undefined ? {} : { since: readTime('--since', since, nowMs) }),
    ...(until === undefined ? {} : { until: readTime('--until', until, nowMs) }),
    ...(priority === undefined ? {} : { priority: PRIORITY_WORDS[priority] ?? priority }),
    ...(grep === undefined ? {} : { grep }),
  };
}

async function showLogs(
  session: Session,
  service: string,
  lines: number | undefined,
  query: Query,
): Promise<number> {
  const { io, isJson, paint } = session;
  const params = checkParameters(serviceLogs, {
    service,
    ...(lines === undefined ? {} : { lines }),
    ...readQuery(query, io.nowMs()),
  });
  const client = session.client();
  const order = { operation: serviceLogs.name, params, dryRun: false };
  const id = await requestCommand(client, order, io.interrupted);
  const detail = await waitForCommand(client, id, quietProgress(io), {
    signal: io.interrupted,
    nowMs: io.nowMs,
  });
  if (!detail) return EXIT.interrupted;
  const { command } = detail;
  const result = command.state === 'succeeded' ? serviceLogs.result.safeParse(command.result) : undefined;
  if (isJson) io.out(toJsonText(detail));
  else if (!result?.success) io.err(renderOutcome(command, viewContext(session)));
  else {
    io.out(result.data.lines.map((line) => renderLogLine(line, paint)).join(''));
    if (result.data.lines.length === 0) io.err('no lines\n');
    io.err(tellLeftOut(result.data));
  }
  return result?.success ? EXIT.done : exitCodeOfCommand(command);
}

/** What people say for a priority besides its name. */
const PRIORITY_WORDS: Readonly<Record<string, string>> = {
  error: 'err',
  warn: 'warning',
  critical: 'crit',
  emergency: 'emerg',
};

// `--since` and `--until`: a span back from now (`10m`, `2 hours ago`) or a point in time.

const UNIT_MS: Record<string, number> = { s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 };
const SPAN = /^(\d{1,6})\s*(s|sec|secs|seconds?|m|min|mins|minutes?|h|hours?|d|days?)(\s+ago)?$/;

/** RFC 3339 in UTC. Throws `invalid-input` on anything that is neither a duration nor a time with a zone. */
export function readTime(option: string, word: string, nowMs: number): string {
  const span = SPAN.exec(word.trim());
  if (span) {
    const unitMs = UNIT_MS[span[2]?.charAt(0) ?? ''] ?? 0;
    return new Date(nowMs - Number(span[1]) * unitMs).toISOString();
  }
  const time = /^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}(:\d{2}(\.\d+)?)?(Z|[+-]\d{2}:\d{2})$/.test(word)
    ? Date.parse(word)
    : Number.NaN;
  if (!Number.isNaN(time)) return new Date(time).toISOString();
  throw new LamplighterError(
    'invalid-input',
    `read ${option} ${word}: neither a duration nor a time with a zone`,
    {
      hint: "For example 10m, '2 hours ago', or 2026-11-23T08:00:00Z.",
    },
  );
}
