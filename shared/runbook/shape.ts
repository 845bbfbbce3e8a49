// From what the schema found wrong to faults in plain words, one by one: whoever asks stops when there are enough.
import * as z from 'zod';
import { describeIssue } from '../plain-issue.ts';
import type { Path, RunbookFault } from './fault.ts';
import { formsAt, knownKeysAt } from './known-keys.ts';
import { listNames, nearestName, shortName } from './nearest-name.ts';

type Issue = z.core.$ZodIssue;

function valueAt(document: unknown, path: Path): unknown {
  let value = document;
  for (const part of path) {
    if (typeof value !== 'object' || value === null || !Object.hasOwn(value, part)) return undefined;
    value = Object.getOwnPropertyDescriptor(value, part)?.value;
  }
  return value;
}

function keysOf(value: unknown): string[] {
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? Object.keys(value) : [];
}

function pathOf({ path }: Issue): (string | number)[] {
  return path.map((part) => (typeof part === 'symbol' ? String(part) : part));
}

/** What is wrong with the form that was meant, when there are several; undefined when there is one. */
function meantForm(issue: Issue, path: Path, document: unknown): readonly Issue[] | undefined {
  if (issue.code === 'invalid_union' && issue.errors.length > 0) {
    return meantBranch(issue.errors, path, document);
  }
  const forms = issue.code === 'unrecognized_keys' ? formsAt(path) : [];
  if (forms.length === 0) return undefined;
  const value = valueAt(document, path);
  const branches = forms.map((form) => z.safeParse(form, value).error?.issues ?? []);
  return meantBranch(branches, path, document);
}

/** All faults of the issues, in their order. `isWithinForm`: they are those of the form that was meant at `parent`. */
export function* shapeFaults(
  issues: readonly Issue[],
  document: unknown,
  parent: Path = [],
  isWithinForm = false,
): Generator<RunbookFault> {
  for (const issue of issues) {
    const path = [...parent, ...pathOf(issue)];
    const meant = isWithinForm ? undefined : meantForm(issue, path, document);
    if (meant) {
      yield* shapeFaults(meant, document, path, true);
    } else if (issue.code === 'unrecognized_keys') {
      for (const key of issue.keys) yield unknownKey(path, key);
    } else {
      // A name that is none is told by what is wrong with the name.
      const inner = issue.code === 'invalid_key' ? issue.issues[0] : undefined;
      yield { path, message: describeIssue(inner ?? issue) };
    }
  }
}

function unknownKey(path: Path, key: string): RunbookFault {
  const known = knownKeysAt(path);
  const at = { path: [...path, key] };
  if (known.includes(key)) {
    const hint = 'Keep one of them: each belongs to another kind of entry.';
    return { ...at, message: `key "${key}" does not go together with the other keys here`, hint };
  }
  const near = nearestName(key, known);
  const hint = near ? `Did you mean "${near}"?` : `Known keys here: ${listNames(known)}.`;
  return { ...at, message: `unknown key "${shortName(key)}"`, hint };
}

/**
 * Of a union's branches the one that the author meant: whose own keys are there. A branch is far from it for each key that
 * the branch asks for and the author did not write, and for each that the author wrote and only another branch knows.
 */
function meantBranch(branches: readonly Issue[][], path: Path, document: unknown): Issue[] {
  const written = new Set(keysOf(valueAt(document, path)));
  const known = new Set(knownKeysAt(path));
  const distanceOf = (issues: readonly Issue[]): number =>
    issues.reduce((sum, issue) => {
      if (issue.code === 'unrecognized_keys' && issue.path.length === 0) {
        return sum + issue.keys.filter((key) => known.has(key)).length;
      }
      const [key] = issue.path;
      const isMissing = issue.path.length === 1 && typeof key === 'string' && !written.has(key);
      return isMissing ? sum + 1 : sum;
    }, 0);
  let best: { issues: Issue[]; distance: number } | undefined;
  for (const issues of branches) {
    const distance = distanceOf(issues);
    if (!best || distance < best.distance) best = { issues, distance };
  }
  return best?.issues ?? [];
}
