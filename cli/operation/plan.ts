// What a dry run says: the steps in their order, numbered.
import * as z from 'zod';
import { escapeForTerminal } from '../output/escape.ts';
import { displayWidth, wrapText } from '../output/width.ts';
import { viewOf } from './result-view.ts';

const Plan = z.object({ plan: z.array(z.object({ step: z.string(), does: z.string() })) });
const INDENT = 2;

/** The plan of any operation. */
export const planView = viewOf(Plan, ['plan'], ({ plan }, _command, { paint, width }) => {
  if (plan.length === 0) return '  nothing to do\n';
  const numberWidth = String(plan.length).length;
  const nameWidth = Math.max(...plan.map(({ step }) => displayWidth(escapeForTerminal(step))));
  const hanging = INDENT + numberWidth + 2 + nameWidth + 2;
  const lines = plan.map(({ step, does }, i) => {
    const name = escapeForTerminal(step);
    const padding = ' '.repeat(nameWidth - displayWidth(name));
    const [first = '', ...rest] = wrapText(escapeForTerminal(does), width - hanging);
    const number = String(i + 1).padStart(INDENT + numberWidth);
    const more = rest.map((line) => `${' '.repeat(hanging)}${line}\n`).join('');
    return `${number}. ${paint.bold(name)}${padding}  ${first}\n${more}`;
  });
  return `it would take ${plan.length === 1 ? 'one step' : `${plan.length} steps`}:\n${lines.join('')}`;
});
