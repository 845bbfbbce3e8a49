// The last word on a command: a report signed with the runner's key, which only root reads.
import { randomUUID } from 'node:crypto';
import type { CommandEnvelope } from '#shared/command/envelope.ts';
import { fitReport } from '#shared/command/fit-report.ts';
import { FinishedReport } from '#shared/command/report.ts';
import { type Signer, signBytes } from '#shared/signing/dsse.ts';
import { readSteps, summariseSteps, writeReport } from './step-record.ts';
import type { Ending } from './steps.ts';

/** As many as a report takes. */
const MAX_STEPS = 200;

/** Writes the signed final report of a run. */
export async function finishRun(
  runsDir: string,
  envelope: CommandEnvelope,
  ending: Ending,
  signer: Signer,
  now: Date,
): Promise<void> {
  const whole = FinishedReport.parse({
    v: 1,
    id: randomUUID(),
    host: envelope.host,
    at: now.toISOString(),
    type: 'command.finished',
    commandId: envelope.id,
    steps: summariseSteps(readSteps(runsDir, envelope.id)).slice(-MAX_STEPS),
    ...ending,
  });
  const payload = Buffer.from(JSON.stringify(fitReport(whole)));
  writeReport(runsDir, envelope.id, await signBytes(signer, 'report', payload));
}
