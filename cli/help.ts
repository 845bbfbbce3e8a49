// `lamp --help`: every verb on one screen of 80 by 24.
import { lookUpOperation } from '#shared/operations/catalogue.ts';
import { truncate, wrapText } from './output/width.ts';
import type { VerbEntry } from './verb.ts';
import { VERBS } from './verbs.ts';

const MOST_COLUMNS = 80;

function summaryOf({ summary, operation }: VerbEntry): string {
  const text = summary ?? (operation ? lookUpOperation(operation)?.summary : undefined) ?? '';
  // A summary's second half is for the verb's own help.
  return text.replace(/;.*/, '');
}

/** The overview of all verbs, in lines that fit the terminal. */
export function renderOverview(columns: number): string {
  const heads = VERBS.map(({ verb, usage }) => `${verb} ${usage}`.trim());
  const width = Math.max(...heads.map((head) => head.length));
  const rows = VERBS.map((entry, i) =>
    truncate(`  ${(heads[i] ?? '').padEnd(width)}  ${summaryOf(entry)}`, Math.min(columns, MOST_COLUMNS - 1)),
  );
  const lines = [
    ...wrapText('Usage: lamp VERB [--json] [--url URL] [--token-file FILE] [--no-color] [--help]', columns),
    ...rows,
    ...wrapText('Exit: 0 done  1 failed  2 usage  3 not allowed  4 not reached  130 interrupted', columns),
  ];
  return `${lines.join('\n')}\n`;
}
