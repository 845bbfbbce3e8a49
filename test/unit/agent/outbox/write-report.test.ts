import { expect, test } from 'vitest';
import { createReportWriter } from '#agent/outbox/write-report.ts';
import { FinishedReport } from '#shared/command/report.ts';
import { CommandId } from '#shared/names.ts';
import { isSignatureValid } from '#shared/signing/dsse.ts';
import { keySigner } from '#shared/signing/key-signer.ts';
import { MAX_REPORT_BYTES } from '#shared/topology.ts';
import { makeKey } from '#test/fixtures/deps.ts';

const key = makeKey();
const reports = createReportWriter(
  'web-1',
  keySigner(key.privatePem),
  () => new Date('2026-11-26T10:00:00Z'),
);
const commandId = CommandId.parse('0197c2aa-0000-7000-8000-000000000002');

function endOf(state: 'succeeded' | 'failed', result: unknown) {
  return { type: 'command.finished' as const, commandId, state, steps: [], result };
}

test('a result that the control plane would not take is left out, and the end is still told and signed', async () => {
  const result = { lines: ['x'.repeat(MAX_REPORT_BYTES)] };
  const end = endOf('succeeded', result);
  const { signed } = await reports.write(end);
  expect(signed.payload.byteLength).toBeLessThanOrEqual(MAX_REPORT_BYTES);
  const report = FinishedReport.parse(JSON.parse(Buffer.from(signed.payload).toString()));
  expect(report).toMatchObject({ state: 'succeeded', hint: expect.stringContaining('fewer lines') });
  expect(report.message).toMatch(/the result of \d+ bytes is left out/);
  expect(report.result).toBeUndefined();
  expect(isSignatureValid('report', signed, [key.publicKey])).toBe(true);
});

test('what fits is told as it is', async () => {
  const end = endOf('failed', { a: 1 });
  const { signed } = await reports.write(end);
  expect(JSON.parse(Buffer.from(signed.payload).toString())).toMatchObject(end);
});
