// stack.restart: tests every configuration before the first restart, then restarts one service after the other.
import { stackRestart } from '#shared/operations/stack.ts';
import { configTestSteps } from './service/config-test.ts';
import { unitSteps } from './service/unit-steps.ts';
import { defineProcedure } from './twin.ts';

export const twins = [
  defineProcedure(stackRestart, ({ services }, { policy }) => {
    const specs = services.map(({ service, unit, health }) => ({ unit, health, label: service }));
    const restarts = specs.map((spec) => unitSteps('restart', spec));
    return {
      steps: [
        ...specs.flatMap((spec) => configTestSteps(spec, policy)),
        ...restarts.flatMap(({ check, act, last }) => [check, act, last]),
      ],
      result: ({ outputOf }) => ({ units: restarts.map(({ last }) => outputOf(last)) }),
    };
  }),
];
