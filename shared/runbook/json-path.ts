// Paths into a JSON body, as a runbook writes them: `engines[0].id`, `data["a key"].x`, with or without a leading `$.`.

const STEP = /\.?([A-Za-z_$][\w$-]*)|\[(\d+)\]|\["([^"\]]*)"\]/y;

/** The steps of a path, or undefined when it is not one. */
export function parseJsonPath(path: string): (string | number)[] | undefined {
  const text = path.startsWith('$') ? path.slice(1) : path;
  const steps: (string | number)[] = [];
  const step = new RegExp(STEP);
  while (step.lastIndex < text.length) {
    const at = step.lastIndex;
    const found = step.exec(text);
    if (!found || (at > 0 && found[1] !== undefined && text[at] !== '.')) return undefined;
    const [, name, index, key] = found;
    steps.push(index === undefined ? (name ?? key ?? '') : Number(index));
  }
  return steps.length > 0 ? steps : undefined;
}
