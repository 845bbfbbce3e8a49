// Text of a server, a library or a person, made safe for a log line and a mail's subject.

const MAX_LENGTH = 200;

/** The text without control characters and line breaks, cut to a bounded length. */
export function oneLine(text: string): string {
  const line = text.replaceAll(/[\p{Cc}\p{Zl}\p{Zp}]+/gu, ' ').trim();
  return line.length > MAX_LENGTH ? `${line.slice(0, MAX_LENGTH)}…` : line;
}
