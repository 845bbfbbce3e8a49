// Hides known secret values in a text, however they are written there.
import { formsOf } from './forms.ts';
import { AT_START, createMatcher, type MatchState, mergeSpans, type Span } from './matcher.ts';
import { decodedViews } from './views.ts';

export const MARK = '[REDACTED]';

/** A part of a longer text: what the part before it ended in, and whether another part follows. */
export interface Continuation {
  state: MatchState;
  goesOn: boolean;
}

export interface ValueRedactor {
  /** The text without the values. */
  redact(text: string): string;
  /** One part of a text that was split anywhere, even within a value; `state` is for the next part. */
  redactPart(text: string, continuation: Continuation): { text: string; state: MatchState };
}

const WHOLE: Continuation = { state: AT_START, goesOn: false };

/** A redactor of these values. */
export function createValueRedactor(values: Iterable<string>): ValueRedactor {
  const forms = [...new Set(values)].flatMap(formsOf);
  if (forms.length === 0) {
    return { redact: (text) => text, redactPart: (text) => ({ text, state: AT_START }) };
  }
  const matcher = createMatcher(forms);
  const redactPart: ValueRedactor['redactPart'] = (text, { state, goesOn }) => {
    const { spans, state: end } = matcher.find(text, state);
    const decoded = decodedViews(text).flatMap((view) =>
      matcher
        .find(view.text)
        .spans.map(({ from, to }) => ({ from: view.at[from] ?? 0, to: view.at[to] ?? 0 })),
    );
    // The beginning of a value whose rest comes with the next part; a text that goes on no further ends as it ends.
    const begun = goesOn ? [{ from: Math.max(0, text.length - matcher.depthOf(end)), to: text.length }] : [];
    return { text: hide(text, mergeSpans([...spans, ...decoded, ...begun])), state: goesOn ? end : AT_START };
  };
  return { redactPart, redact: (text) => redactPart(text, WHOLE).text };
}

function hide(text: string, spans: readonly Span[]): string {
  let kept = '';
  let from = 0;
  for (const span of spans.filter(({ from: start, to }) => to > start)) {
    kept += text.slice(from, span.from) + MARK;
    from = span.to;
  }
  return kept + text.slice(from);
}
