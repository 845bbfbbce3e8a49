import { availableParallelism } from 'node:os';
import { defineConfig } from 'vitest/config';
import { HUNG_MS, PATIENCE_MS } from './test/fixtures/patience.ts';

// Google's clients need not look for a metadata server, nor warn that there is none.
const WITHOUT_METADATA = { METADATA_SERVER_DETECTION: 'none' };

// Most tests wait for servers, locks and disks rather than for a processor: two at a time also where there are two.
const MOST_WORKERS = Math.max(2, availableParallelism() - 1);

const PATIENCE = {
  testTimeout: HUNG_MS,
  hookTimeout: HUNG_MS,
  expect: { poll: { timeout: PATIENCE_MS } },
};
const BUILT = ['test/fixtures/built-agent.ts', 'test/fixtures/built-owner.ts'];

export default defineConfig({
  test: {
    maxWorkers: MOST_WORKERS,
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
          sequence: { groupOrder: 2 },
          ...PATIENCE,
        },
      },
    ],
  },
});
