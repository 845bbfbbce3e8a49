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

interface Row {
  head: string;
  text: string;
}

/** One row of the overview for verbs that stand together, else one for each. */
function rowsOf(verbs: readonly VerbEntry[]): Row[] {
  const rows: (Row & { together: string | undefined })[] = [];
  for (const entry of verbs) {
    const { verb, usage, together } = entry;
    const last = rows.at(-1);
    if (last && together !== undefined && last.together === together) {
      last.head = `${last.head}, ${verb} ${usage}`.trim();
      continue;
    }
    // The usage of verbs that stand together is the last one's.
    const head = together === undefined ? `${verb} ${usage}`.trim() : verb;
    rows.push({ head, text: together ?? summaryOf(entry), together });
  }
  return rows;
}

/** The overview of all verbs, in lines that fit the terminal. */
export function renderOverview(columns: number): string {
  const all = rowsOf(VERBS);
  const width = Math.max(...all.map(({ head }) => head.length));
  const rows = all.map(({ head, text }) =>
    truncate(`  ${head.padEnd(width)}  ${text}`, Math.min(columns, MOST_COLUMNS - 1)),
  );
  const lines = [
    ...wrapText('Usage: lamp VERB [--json] [--url URL] [--token-file FILE] [--no-color] [--help]', columns),
    ...rows,
    ...wrapText('Exit: 0 done  1 failed  2 usage  3 not allowed  4 not reached  130 interrupted', columns),
  ];
  return `${lines.join('\n')}\n`;
}
