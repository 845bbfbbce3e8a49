// The one JSON document of `--json`.

// JSON leaves DEL and C1 as they are; a terminal may obey them.
// oxlint-disable-next-line no-control-regex -- control characters are what this is about
const UNESCAPED_CONTROLS = /[\u007f-\u009f]/g;

function escapeControls(json: string): string {
  return json.replace(UNESCAPED_CONTROLS, (c) => `\\u00${c.charCodeAt(0).toString(16)}`);
}

/** A value as an indented JSON document with its final line break. */
export function toJsonText(value: unknown): string {
  return `${escapeControls(JSON.stringify(value, null, 2))}\n`;
}

/** A value as one line, for streams (`lamp logs -f --json`). */
export function toJsonLine(value: unknown): string {
  return `${escapeControls(JSON.stringify(value))}\n`;
}
