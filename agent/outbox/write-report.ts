// Writes the agent's reports: parsed, and signed with the agent's key.
import { randomUUID } from 'node:crypto';
import { fitReport } from '#shared/command/fit-report.ts';
import { Report, reportEventType } from '#shared/command/report.ts';
import { type Signer, signBytes } from '#shared/signing/dsse.ts';
import type { OutgoingReport } from '../journal/journal.ts';

type Body = Report extends infer R ? (R extends Report ? Omit<R, 'v' | 'id' | 'host' | 'at'> : never) : never;

export interface ReportWriter {
  /** A signed report, no larger than the control plane takes. Throws when the body is not one: a bug, not bad input. */
  write(body: Body): Promise<OutgoingReport>;
}

/** A writer for this host, with the agent's key. */
export function createReportWriter(host: string, signer: Signer, clock: () => Date): ReportWriter {
  return {
    write: async (body) => {
      const report = fitReport(
        Report.parse({ v: 1, id: randomUUID(), host, at: clock().toISOString(), ...body }),
      );
      const payload = Buffer.from(JSON.stringify(report));
      return {
        signed: await signBytes(signer, 'report', payload),
        eventId: report.id,
        eventType: reportEventType(report.type),
        subject: subjectOf(report),
      };
    },
  };
}

function subjectOf(report: Report): string {
  return 'commandId' in report && report.commandId !== undefined ? report.commandId : report.host;
}
