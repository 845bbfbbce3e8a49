import { expect, test } from 'vitest';
import { fitReport } from '#shared/command/fit-report.ts';
import { FinishedReport, Report } from '#shared/command/report.ts';
import { MAX_REPORT_BYTES } from '#shared/topology.ts';

const step = { name: 'dump', outcome: 'done', startedAt: '2026-11-26T10:00:00.000Z', durationMs: 1 } as const;
const large = FinishedReport.parse({
  v: 1,
  id: '0197c2aa-0000-4000-8000-000000000001',
  host: 'web-1',
  at: '2026-11-26T10:00:00.000Z',
  type: 'command.finished',
  commandId: '0197c2aa-0000-7000-8000-000000000002',
  state: 'failed',
  message: 'as it ended',
  result: { lines: ['r'.repeat(1000)] },
  steps: [{ ...step, detail: 'd'.repeat(1000) }],
  output: ['o'.repeat(1000)],
});

function bytesOf(report: unknown): number {
  return Buffer.byteLength(JSON.stringify(report));
}

/** The parts that are still there. */
function partsOf(report: FinishedReport): string[] {
  const { output, result, steps } = report;
  return [
    ...(output === undefined ? [] : ['output']),
    ...(steps[0]?.detail === undefined ? [] : ['details']),
    ...(result === undefined ? [] : ['result']),
  ];
}

test.each([
  [10_000, ['output', 'details', 'result'], 'as it ended'],
  [3000, ['details', 'result'], 'as it ended; the output is left out: the report would be too large'],
  [2000, ['result'], 'the details of the steps are left out'],
  [1000, [], 'as it ended; the result of 1014 bytes is left out: the report would be too large'],
])('of at most %d bytes it has %j', (maxBytes, parts, message) => {
  const fitted = FinishedReport.parse(fitReport(large, maxBytes));
  expect(bytesOf(fitted)).toBeLessThanOrEqual(maxBytes);
  expect(partsOf(fitted)).toEqual(parts);
  expect(fitted.message).toContain(message);
  expect(fitted).toMatchObject({ state: 'failed', steps: [step] });
});

test('all that the schema allows fits in what the control plane takes', () => {
  const full = {
    ...large,
    steps: Array.from({ length: 200 }, () => ({ ...step, detail: '\u{0000}'.repeat(2000) })),
    output: Array.from({ length: 200 }, () => '€'.repeat(4000)),
    result: { lines: ['x'.repeat(MAX_REPORT_BYTES)] },
  };
  const fitted = fitReport(FinishedReport.parse(full));
  expect(bytesOf(fitted)).toBeLessThanOrEqual(MAX_REPORT_BYTES);
});

test('a result of more values than the control plane reads is left out, however short it is', () => {
  const refused = Array.from({ length: 20_000 }, (_, i) => ({ kind: 'TABLE', name: `t${i}`, reason: 'x' }));
  const fitted = FinishedReport.parse(fitReport({ ...large, result: { refused } }));
  expect(partsOf(fitted)).toEqual([]);
  expect(fitted.message).toContain('is left out: the report would be too large');
});

test('a message at its limit stays within it', () => {
  const fitted = fitReport({ ...large, message: 'm'.repeat(4000) }, 3000 + 4000);
  expect(Report.safeParse(fitted).success).toBe(true);
});

test('what can’t be made smaller is not sent, and the error says how large it is', () => {
  const accepted = Report.parse({
    v: 1,
    id: large.id,
    host: 'web-1',
    at: large.at,
    type: 'command.accepted',
    commandId: large.commandId,
  });
  expect(() => fitReport(accepted, 100)).toThrow(/write report command.accepted: it has \d+ bytes/);
});
