// Terminal lines with the few colours of our view, as an SVG that is text: sharp at any size, small, and diffable.

const CHARACTER_WIDTH = 8.4;
const LINE_HEIGHT = 19;
const MARGIN = 18;
const INK = '#d7dae0';
const FILLS: Record<number, string> = { 31: '#ff7b72', 32: '#56d364', 33: '#e3b341', 39: INK };

interface Run {
  text: string;
  column: number;
  fill: string;
  isBold: boolean;
  isDim: boolean;
}

function escapeXml(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;');
}

function applyCode(run: Run, code: number): Run {
  if (code === 1) return { ...run, isBold: true };
  if (code === 2) return { ...run, isDim: true };
  if (code === 22) return { ...run, isBold: false, isDim: false };
  return { ...run, fill: FILLS[code] ?? run.fill };
}

/** Splits a line at its SGR codes into runs of one style. */
function splitRuns(line: string): Run[] {
  const runs: Run[] = [];
  let style: Run = { text: '', column: 0, fill: INK, isBold: false, isDim: false };
  for (const [i, part] of line.split('\u001b[').entries()) {
    const code = i === 0 ? undefined : /^(\d+)m/.exec(part);
    if (code) style = applyCode(style, Number(code[1]));
    const text = code ? part.slice(code[0].length) : part;
    if (text !== '') runs.push({ ...style, text });
    style = { ...style, column: style.column + text.length };
  }
  return runs;
}

function drawRun(run: Run, y: number): string {
  const weight = run.isBold ? ' font-weight="bold"' : '';
  const opacity = run.isDim ? ' opacity="0.62"' : '';
  const x = (MARGIN + run.column * CHARACTER_WIDTH).toFixed(1);
  return `<text x="${x}" y="${y}" fill="${run.fill}"${weight}${opacity} xml:space="preserve">${escapeXml(run.text)}</text>`;
}

/** Draws coloured terminal lines. */
export function drawSvg(lines: readonly string[], columns: number, title: string): string {
  const width = Math.round(2 * MARGIN + columns * CHARACTER_WIDTH);
  const height = 2 * MARGIN + lines.length * LINE_HEIGHT;
  const body = lines.flatMap((line, i) =>
    splitRuns(line).map((run) => drawRun(run, MARGIN + 14 + i * LINE_HEIGHT)),
  );
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" width="${width}" height="${height}" role="img">`,
    `<title>${escapeXml(title)}</title>`,
    `<rect width="100%" height="100%" rx="10" fill="#15181d"/>`,
    `<g font-family="ui-monospace, SFMono-Regular, Menlo, Consolas, 'DejaVu Sans Mono', monospace" font-size="14">`,
    ...body,
    '</g></svg>',
    '',
  ].join('\n');
}
