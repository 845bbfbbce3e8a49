// The test of a unit's configuration, by the program that the policy names for it.
import { OperationFailure } from '#shared/command/operation-failure.ts';
import { lookUp } from '#shared/look-up.ts';
import type { Policy } from '#shared/policy/policy.ts';
import { runPolicyProgram } from '../../host/policy-program.ts';
import { defineStep, type Step } from '../../runner/step.ts';
import { nameStep, type UnitSpec } from './unit-steps.ts';

const TIMEOUT_MS = 45_000;

/** What the program printed; undefined when the policy names none. Throws `failed` with its output when it found a fault. */
export async function testConfiguration(
  unit: string,
  { configTests }: Policy,
  signal: AbortSignal,
): Promise<string[] | undefined> {
  const program = lookUp(configTests, unit);
  if (!program) return undefined;
  try {
    return await runPolicyProgram({ argv: program, timeoutMs: TIMEOUT_MS, signal });
  } catch (thrown) {
    if (signal.aborted || !(thrown instanceof OperationFailure)) throw thrown;
    throw new OperationFailure(
      'bad-configuration',
      'failed',
      `test configuration of ${unit}: ${thrown.message}`,
      {
        cause: thrown,
        output: thrown.output,
        hint: `Correct the file and line that the output names. The running ${unit} still has its former configuration.`,
      },
    );
  }
}

/** The test as a step before an action, where the policy names a program. */
export function configTestSteps(spec: UnitSpec, policy: Policy): Step<undefined>[] {
  const program = lookUp(policy.configTests, spec.unit);
  if (!program) return [];
  return [
    defineStep({
      name: nameStep('test-configuration', spec),
      describe: () => program.join(' '),
      run: async ({ signal }) => {
        await testConfiguration(spec.unit, policy, signal);
        return {};
      },
      afterCrash: 'repeat',
    }),
  ];
}
