// `npm test`: everything, against real parts. The last line is `N passed, N failed, N skipped`, alone on its line,
// whatever happened to the runner.
import { spawn } from 'node:child_process';
import { existsSync, globSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { whyNeverHost } from '#local/demo/setup/capabilities.ts';
import { ensureSystemPackages } from '#local/demo/setup/packages.ts';
import type { SystemProgram } from '#local/demo/setup/programs.ts';
import { messageOf } from '#shared/errors.ts';
import { readOutcome, type Tally } from './outcome.ts';

function runVitest(reportFile: string, args: string[]): Promise<number> {
  const vitest = join(dirname(createRequire(import.meta.url).resolve('vitest/package.json')), 'vitest.mjs');
  const reporters = ['--reporter=default', '--reporter=json', `--outputFile.json=${reportFile}`];
  const child = spawn(process.execPath, [vitest, 'run', ...reporters, ...args], { stdio: 'inherit' });
  return new Promise((resolve) => child.once('exit', (code) => resolve(code ?? 1)));
}

/** Programs that only some tests need; the product uses them where an operator asks for it. */
const ONLY_TESTED: readonly SystemProgram[] = [
  { purpose: 'nft', debian: 'nftables', isForHost: true, isThere: () => existsSync('/usr/sbin/nft') },
];

/** Programs that are needed to test other releases of Debian than this machine's. */
const LONG_TESTED: readonly SystemProgram[] = [
  {
    purpose: 'debootstrap',
    debian: 'debootstrap',
    isForHost: true,
    isThere: () => existsSync('/usr/sbin/debootstrap'),
  },
];

/** Why only the unit tests can run here, or undefined; installs what is missing where that is allowed. */
function whyUnitOnly(isLong: boolean): string | undefined {
  try {
    ensureSystemPackages(whyNeverHost() === undefined ? 'systemd' : 'supervised', [
      ...ONLY_TESTED,
      ...(isLong ? LONG_TESTED : []),
    ]);
    return undefined;
  } catch (error) {
    return messageOf(error);
  }
}

/** The test files that need real parts. */
function listRealTests(): string[] {
  return globSync('{integration,e2e,fault}/**/*.test.ts', { cwd: import.meta.dirname });
}

async function main(args: string[]): Promise<Tally> {
  const isLong = args.includes('--long');
  if (isLong) process.env.LAMPLIGHTER_LONG_TESTS = '1';
  const chosen = args.filter((arg) => arg !== '--long');
  const why = whyUnitOnly(isLong);
  if (why === undefined) return await run(chosen);
  const tally = await run(['--project', 'unit', ...chosen]);
  const left = listRealTests().length;
  console.error(
    `${why}\nSkipped for that: ${left} test files (integration, e2e, fault). Only the unit tests ran.`,
  );
  return { ...tally, skipped: tally.skipped + left };
}

async function run(args: string[]): Promise<Tally> {
  const dir = mkdtempSync(join(tmpdir(), 'lamplighter-test-'));
  try {
    const reportFile = join(dir, 'report.json');
    const code = await runVitest(reportFile, args);
    const { tally, skipped } = readOutcome(readFileSync(reportFile, 'utf8'), code);
    for (const line of skipped) console.error(`Skipped: ${line}`);
    return tally;
  } catch (error) {
    console.error(`read test report: ${messageOf(error)}`);
    return { passed: 0, failed: 1, skipped: 0 };
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
}

const tally = await main(process.argv.slice(2));
process.exitCode = tally.failed > 0 || tally.passed === 0 ? 1 : 0;
console.log(`${tally.passed} passed, ${tally.failed} failed, ${tally.skipped} skipped`);
