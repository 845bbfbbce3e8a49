import { availableParallelism } from 'node:os';
import { defineConfig } from 'vitest/config';
import { BaseSequencer, type TestSpecification } from 'vitest/node';
import { HUNG_MS, PATIENCE_MS } from './test/fixtures/patience.ts';

// Google's clients need not look for a metadata server, nor warn that there is none.
const WITHOUT_METADATA = { METADATA_SERVER_DETECTION: 'none' };

// Most tests wait for servers, locks and disks as long as for a processor: with one file for each, a third of it was idle.
const MOST_WORKERS = availableParallelism() + 1;

/** What takes minutes first, so that in the end no processor waits for the last of them. */
const LONGEST_FIRST = [/\/e2e\/[^/]+$/, /\/(e2e|fault)\//, /\/integration\/(agent|terraform)\//];

class LongestFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const rank = ({ moduleId }: TestSpecification): number => {
      const found = LONGEST_FIRST.findIndex((pattern) => pattern.test(moduleId));
      return found === -1 ? LONGEST_FIRST.length : found;
    };
    return (await super.sort(files)).toSorted((a, b) => rank(a) - rank(b));
  }
}

const PATIENCE = {
  testTimeout: HUNG_MS,
  hookTimeout: HUNG_MS,
  expect: { poll: { timeout: PATIENCE_MS } },
};
const BUILT = ['test/fixtures/built-agent.ts', 'test/fixtures/built-owner.ts'];

export default defineConfig({
  test: {
    maxWorkers: MOST_WORKERS,
    sequence: { sequencer: LongestFirst },
    projects: [
      {
        test: {
          name: 'unit',
          include: ['test/unit/**/*.test.ts'],
          // They change nothing that another could see, and most of their time was loading the same modules again.
          isolate: false,
          sequence: { groupOrder: 0 },
          ...PATIENCE,
        },
      },
      {
        test: {
          name: 'integration',
          include: ['test/integration/**/*.test.ts'],
          // A file puts back whatever of the process it changes: loading the same modules for each took minutes.
          isolate: false,
          sequence: { groupOrder: 1 },
          env: WITHOUT_METADATA,
          globalSetup: BUILT,
          ...PATIENCE,
        },
      },
      {
        // Real hosts and whole stacks, each with namespaces, ports and a home of its own.
        test: {
          name: 'e2e',
          include: ['test/e2e/**/*.test.ts', 'test/fault/**/*.test.ts'],
          env: WITHOUT_METADATA,
          globalSetup: BUILT,
          sequence: { groupOrder: 1 },
          ...PATIENCE,
        },
      },
    ],
  },
});
