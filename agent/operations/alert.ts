// alert.append: writes an alert's line to the host's alert log, once, however often the command comes.
import { alertAppend } from '#shared/operations/alert.ts';
import { appendLineOnce } from '../host/line-log.ts';
import { defineStep } from '../runner/step.ts';
import { defineProcedure } from './twin.ts';

export const twins = [
  defineProcedure(alertAppend, ({ path, alert }) => {
    const append = defineStep({
      name: 'append',
      describe: () => `append one line to ${path}`,
      output: alertAppend.result,
      run: () => Promise.resolve({ data: { path, appended: appendLineOnce(path, alert) } }),
      afterCrash: 'repeat',
    });
    return { steps: [append], result: ({ outputOf }) => outputOf(append) };
  }),
];
