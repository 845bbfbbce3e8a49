// A report is never larger than the control plane takes: what is larger would be refused, and nobody would hear how the
// command ended.
import { LamplighterError } from '../errors.ts';
import { extentOf, MAX_VALUES } from '../json-extent.ts';
import { MAX_REPORT_BYTES } from '../topology.ts';
import type { FinishedReport, Report } from './report.ts';

const MAX_MESSAGE_LENGTH = 4000;

interface Size {
  bytes: number;
  values: number;
}

/** Of a report as it is sent. */
function sizeOf(report: Report): Size {
  const text = new TextEncoder().encode(JSON.stringify(report));
  return { bytes: text.length, values: extentOf(text).values };
}

function withNote(report: FinishedReport, note: string): FinishedReport {
  const message = report.message === undefined ? note : `${report.message}; ${note}`;
  return { ...report, message: message.slice(-MAX_MESSAGE_LENGTH) };
}

/** Ever smaller forms of an end: the output and the details of the steps can be missed sooner than the result. */
function* smallerForms(report: FinishedReport): Generator<FinishedReport> {
  const { output: _output, ...withoutOutput } = report;
  yield withNote(withoutOutput, 'the output is left out: the report would be too large');
  const steps = report.steps.map(({ detail: _detail, ...step }) => step);
  const short = { ...withoutOutput, steps };
  yield withNote(
    short,
    'the output and the details of the steps are left out: the report would be too large',
  );
  const { result, ...withoutResult } = short;
  const bytes = new TextEncoder().encode(JSON.stringify(result ?? null)).length;
  yield {
    ...withNote(withoutResult, `the result of ${bytes} bytes is left out: the report would be too large`),
    hint: report.hint ?? 'Ask for less at once, for example for fewer lines.',
  };
}

/**
 * The report, or the same end with less told when it has more than `maxBytes` or `MAX_VALUES`; its message then says what is left out.
 * Throws `failed` when nothing can be left out.
 */
export function fitReport<R extends Report>(
  report: R,
  maxBytes: number = MAX_REPORT_BYTES,
): R | FinishedReport {
  const fits = ({ bytes, values }: Size): boolean => bytes <= maxBytes && values <= MAX_VALUES;
  const size = sizeOf(report);
  if (fits(size)) return report;
  if (report.type === 'command.finished') {
    for (const form of smallerForms(report)) if (fits(sizeOf(form))) return form;
  }
  throw new LamplighterError(
    'failed',
    `write report ${report.type}: it has ${size.bytes} bytes and ${size.values} values, and the control plane takes ${maxBytes} and ${MAX_VALUES}`,
  );
}
