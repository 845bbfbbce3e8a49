// Finds many strings in one pass over a text (Aho and Corasick, 1975): time grows with the text alone, however many strings
// there are and whatever the text holds.

/** A part of a text in UTF-16 code units; `to` is exclusive. */
export interface Span {
  from: number;
  to: number;
}

/** A string to find. With soft edges the character on either side may carry bits of it (base64) and is taken along. */
export interface Pattern {
  text: string;
  hasSoftEdges: boolean;
}

/** Where a search stands: how much of a pattern the text so far ends with. */
export type MatchState = number;
export const AT_START: MatchState = 0;

export interface Matcher {
  /**
   * Spans in order, without overlap. With the state that an earlier part of the same text ended in, a pattern may begin
   * there.
   */
  find(text: string, state?: MatchState): { spans: Span[]; state: MatchState };
  /** How many characters of a pattern a text ends with, in the state that it ended in. */
  depthOf(state: MatchState): number;
}

const UNITS = 0x10000;

/** The trie of all patterns: node 0 is the root, a node's parent comes before it. */
class Trie {
  readonly #next = new Map<number, number>();
  readonly #root = new Int32Array(UNITS);
  readonly parent = [0];
  readonly unit = [0];
  readonly depth = [0];
  /** Length of the longest pattern that ends here, and whether its edges are soft. */
  readonly found = [0];
  readonly isSoft = [false];

  child(node: number, unit: number): number {
    return (node === 0 ? this.#root[unit] : this.#next.get(node * UNITS + unit)) ?? 0;
  }

  add({ text, hasSoftEdges }: Pattern): void {
    let node = 0;
    for (let i = 0; i < text.length; i++) {
      const unit = text.charCodeAt(i);
      node = this.child(node, unit) || this.#grow(node, unit);
    }
    if (node === 0) return;
    this.found[node] = text.length;
    this.isSoft[node] = hasSoftEdges;
  }

  #grow(node: number, unit: number): number {
    const made = this.parent.length;
    if (node === 0) this.#root[unit] = made;
    else this.#next.set(node * UNITS + unit, made);
    this.parent.push(node);
    this.unit.push(unit);
    this.depth.push((this.depth[node] ?? 0) + 1);
    this.found.push(0);
    this.isSoft.push(false);
    return made;
  }
}

/** For each node the node of its longest proper suffix; shorter patterns that end at a node are seen at it too. */
function linkSuffixes(trie: Trie): Int32Array {
  const { parent, unit, depth, found, isSoft } = trie;
  const suffix = new Int32Array(parent.length);
  const byDepth = parent.map((_parent, node) => node).toSorted((a, b) => (depth[a] ?? 0) - (depth[b] ?? 0));
  for (const node of byDepth) {
    if ((depth[node] ?? 0) < 2) continue;
    const to = follow(trie, suffix, suffix[parent[node] ?? 0] ?? 0, unit[node] ?? 0);
    suffix[node] = to;
    if (found[node] !== 0) continue;
    found[node] = found[to] ?? 0;
    isSoft[node] = isSoft[to] ?? false;
  }
  return suffix;
}

function follow(trie: Trie, suffix: Int32Array, from: number, unit: number): number {
  let node = from;
  for (;;) {
    const next = trie.child(node, unit);
    if (next !== 0 || node === 0) return next;
    node = suffix[node] ?? 0;
  }
}

/** A matcher for these patterns. */
export function createMatcher(patterns: Iterable<Pattern>): Matcher {
  const trie = new Trie();
  for (const pattern of patterns) trie.add(pattern);
  const suffix = linkSuffixes(trie);
  return {
    depthOf: (state) => trie.depth[state] ?? 0,
    find: (text, state = AT_START) => {
      const spans: Span[] = [];
      let node = state;
      for (let i = 0; i < text.length; i++) {
        node = follow(trie, suffix, node, text.charCodeAt(i));
        const length = trie.found[node] ?? 0;
        if (length === 0) continue;
        const span = { from: Math.max(0, i + 1 - length), to: i + 1 };
        addSpan(spans, trie.isSoft[node] ? softenEdges(text, span) : span);
      }
      return { spans, state: node };
    },
  };
}

const BASE64 = /^[A-Za-z0-9+/_-]$/;

/** The span with the character on either side, where that may belong to the same base64. */
function softenEdges(text: string, { from, to }: Span): Span {
  const isJoined = (at: number): boolean => BASE64.test(text[at] ?? '');
  return { from: isJoined(from - 1) ? from - 1 : from, to: isJoined(to) ? to + 1 : to };
}

/** Adds a span that ends no earlier than those before it. */
function addSpan(spans: Span[], { from, to }: Span): void {
  let start = from;
  for (let last = spans.at(-1); last && last.to >= start; last = spans.at(-1)) {
    start = Math.min(start, last.from);
    spans.pop();
  }
  spans.push({ from: start, to: Math.max(to, 0) });
}

/** Spans of several searches as one list, in order and without overlap. */
export function mergeSpans(spans: readonly Span[]): Span[] {
  const merged: Span[] = [];
  for (const { from, to } of spans.toSorted((a, b) => a.from - b.from)) {
    const last = merged.at(-1);
    if (last && from <= last.to) last.to = Math.max(last.to, to);
    else merged.push({ from, to });
  }
  return merged;
}
