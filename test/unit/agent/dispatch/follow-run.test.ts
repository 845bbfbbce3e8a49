import { appendFileSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { followRun } from '#agent/dispatch/follow-run.ts';
import { type Journal, openJournal } from '#agent/journal/journal.ts';
import { createReportWriter } from '#agent/outbox/write-report.ts';
import { finishRun } from '#agent/runner/finish.ts';
import { createRun, runDir } from '#agent/runner/step-record.ts';
import { CommandEnvelope } from '#shared/command/envelope.ts';
import { MAX_PROGRESS_REPORTS, Report } from '#shared/command/report.ts';
import { CommandId, HostName } from '#shared/names.ts';
import { keySigner } from '#shared/signing/key-signer.ts';
import { MAX_REPORT_BYTES } from '#shared/topology.ts';
import { makeKey } from '#test/fixtures/deps.ts';

const NOW = new Date('2026-11-26T10:00:00.000Z');
const signer = keySigner(makeKey().privatePem);
const id = CommandId.parse('0197c2aa-0000-7000-8000-000000000002');
const envelope = { id, host: HostName.parse('web-1') } as CommandEnvelope;
const signed = { payload: Buffer.from('{}'), signature: Buffer.from('s'), keyId: 'k' };

let runsDir: string;
let journal: Journal;

beforeEach(() => {
  runsDir = mkdtempSync(join(tmpdir(), 'lamplighter-runs-'));
  journal = openJournal(':memory:');
  journal.accept(id, signed, undefined, NOW.getTime());
  createRun(runsDir, id, signed, 'owner');
});
afterEach(() => {
  journal.close();
  rmSync(runsDir, { recursive: true });
});

function writeNotes(count: number): void {
  const entry = { at: NOW.toISOString(), step: 'load', phase: 'note', detail: 'a table' };
  const lines = Array.from({ length: count }, (_, i) => JSON.stringify({ seq: i + 1, ...entry }));
  appendFileSync(join(runDir(runsDir, id), 'steps.ndjson'), `${lines.join('\n')}\n`);
}

async function follow(): Promise<Report[]> {
  await followRun(id, 0, {
    runsDir,
    journal,
    reports: createReportWriter('web-1', signer, () => NOW),
    clock: () => NOW,
    onQueued: () => undefined,
    signal: new AbortController().signal,
  });
  const queued = journal.queued(10_000);
  return queued.map((report) => Report.parse(JSON.parse(Buffer.from(report.signed.payload).toString())));
}

test('of a run with very many entries so many are told as the control plane takes, and its end', async () => {
  writeNotes(MAX_PROGRESS_REPORTS + 500);
  await finishRun(runsDir, envelope, { state: 'succeeded' }, signer, NOW);
  const reports = await follow();
  expect(reports.filter(({ type }) => type === 'command.progress')).toHaveLength(MAX_PROGRESS_REPORTS);
  expect(reports.at(-1)).toMatchObject({ type: 'command.finished', state: 'succeeded' });
});

test('an end with a result that the control plane would not take is told without it', async () => {
  const result = { lines: ['x'.repeat(MAX_REPORT_BYTES)] };
  await finishRun(runsDir, envelope, { state: 'failed', message: 'as it ended', result }, signer, NOW);
  const [report] = await follow();
  expect(report).toMatchObject({
    state: 'failed',
    message: expect.stringMatching(/^as it ended; the result of \d+ bytes is left out/),
  });
});
