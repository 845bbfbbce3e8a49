// alert.append: an alert's line in the host's alert log, once however often it is asked.
import { alertAppend } from '#shared/operations/alert.ts';
import { appendLineOnce } from '../host/line-log.ts';
import type { Plan } from './twin.ts';

/** Procedures of the runner. */
export const procedures: Record<string, Plan> = {
  [alertAppend.name]: (input) => {
    const { path, alert } = alertAppend.spec.parse(input);
    return {
      steps: [
        {
          name: 'append',
          describe: () => `append one line to ${path}`,
          run: () => Promise.resolve({ data: { path, appended: appendLineOnce(path, alert) } }),
          isRepeatable: true,
        },
      ],
      result: ({ data }) => data.get('append') ?? { path, appended: false },
    };
  },
};
