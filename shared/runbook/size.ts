/** Largest runbook that is read; keeps a hostile upload from costing memory. */
export const MAX_RUNBOOK_BYTES = 1024 * 1024;
