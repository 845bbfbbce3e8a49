// What is wrong in a runbook, before it has a line and a column.

export type Path = readonly (string | number)[];

/** A fault at a path of the document. */
export interface RunbookFault {
  path: Path;
  message: string;
  /** What would be right, a full sentence. */
  hint?: string;
}
