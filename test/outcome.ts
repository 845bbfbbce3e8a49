// What vitest's JSON report says: how many tests ended how, and which were skipped; their names say why.
import * as z from 'zod';

const VitestReport = z.object({
  numPassedTests: z.int(),
  numFailedTests: z.int(),
  numPendingTests: z.int(),
  numTodoTests: z.int(),
  testResults: z.array(
    z.object({
      assertionResults: z.array(
        z.object({ status: z.string(), ancestorTitles: z.array(z.string()), title: z.string() }),
      ),
    }),
  ),
});

/** Up to so many tests of one group are listed one by one. */
const FEW = 3;

export interface Tally {
  passed: number;
  failed: number;
  skipped: number;
}

export interface Outcome {
  tally: Tally;
  /** A line for each skipped test, or for each group of many. */
  skipped: string[];
}

/** Reads a report; `code` is vitest's exit code. */
export function readOutcome(json: string, code: number): Outcome {
  const report = VitestReport.parse(JSON.parse(json));
  const failed = report.numFailedTests;
  const skippedTests = report.testResults
    .flatMap(({ assertionResults }) => assertionResults)
    .filter(({ status }) => status !== 'passed' && status !== 'failed');
  const fullName = ({ ancestorTitles, title }: (typeof skippedTests)[number]): string =>
    [...ancestorTitles, title].join(' > ');
  const groups = Map.groupBy(skippedTests, ({ ancestorTitles, title }) => ancestorTitles[0] ?? title);
  return {
    tally: {
      passed: report.numPassedTests,
      // A file that could not be loaded, or a leaked error, has no failed test of its own, and still is a failure.
      failed: failed === 0 && code !== 0 ? 1 : failed,
      skipped: report.numPendingTests + report.numTodoTests,
    },
    skipped: [...groups].flatMap(([name, tests]) =>
      tests.length > FEW ? [`${tests.length} × ${name}`] : tests.map(fullName),
    ),
  };
}
