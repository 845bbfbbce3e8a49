// How many terminal cells a text takes: two for wide East Asian characters and emoji, none for combining marks.

// Unicode 16 East Asian Width W and F, by block.
const WIDE =
  /^[\u1100-\u115f\u231a\u231b\u2329\u232a\u2e80-\u303e\u3041-\u33ff\u3400-\u4dbf\u4e00-\u9fff\ua000-\ua4cf\ua960-\ua97c\uac00-\ud7a3\uf900-\ufaff\ufe30-\ufe6f\uff01-\uff60\uffe0-\uffe6\u{1f300}-\u{1f64f}\u{1f680}-\u{1f6ff}\u{1f900}-\u{1f9ff}\u{20000}-\u{3fffd}]|^\p{Emoji_Presentation}|\ufe0f/u;
const ZERO = /^[\p{Mn}\p{Me}\p{Cf}]+$/u;
// oxlint-disable-next-line no-control-regex -- printable ASCII is all that this matches
const ASCII = /^[\x20-\x7e]*$/;

function cellsOf(grapheme: string): number {
  if (ZERO.test(grapheme)) return 0;
  return WIDE.test(grapheme) ? 2 : 1;
}

function graphemesOf(text: string): string[] {
  return Array.from(new Intl.Segmenter('en', { granularity: 'grapheme' }).segment(text), (s) => s.segment);
}

/** Cells that `text` (no escape sequences in it) takes. */
export function displayWidth(text: string): number {
  if (ASCII.test(text)) return text.length;
  return graphemesOf(text).reduce((sum, grapheme) => sum + cellsOf(grapheme), 0);
}

/** `text` in lines of at most `cells`, broken between words; a word that is longer stays whole, so that it can be copied. */
export function wrapText(text: string, cells: number): string[] {
  const lines: string[] = [];
  let line = '';
  for (const word of text.split(' ')) {
    const longer = line === '' ? word : `${line} ${word}`;
    if (line !== '' && displayWidth(longer) > cells) {
      lines.push(line);
      line = word;
    } else line = longer;
  }
  return [...lines, line];
}

/** `text` cut to at most `cells`, with an ellipsis where something was cut. */
export function truncate(text: string, cells: number): string {
  if (displayWidth(text) <= cells) return text;
  let used = 0;
  let kept = '';
  for (const grapheme of graphemesOf(text)) {
    const width = cellsOf(grapheme);
    if (used + width > cells - 1) break;
    used += width;
    kept += grapheme;
  }
  return cells > 0 ? `${kept}…` : '';
}

/** Cells of a line of output: COLUMNS when it is set, else the terminal's width, else without limit. */
export function outputWidth(given: string | undefined, terminal: number | undefined): number {
  if (given !== undefined && /^[1-9]\d{0,4}$/.test(given)) return Number(given);
  return terminal || Infinity;
}
