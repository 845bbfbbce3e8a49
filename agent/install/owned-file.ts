// A file that the installer writes: whole or not at all.
import { chmodSync, renameSync, writeFileSync } from 'node:fs';

/** Writes the file with exactly this mode, whatever the umask. */
export function writeOwned(file: string, content: string | Uint8Array, mode: number): void {
  writeFileSync(`${file}.new`, content, { mode });
  chmodSync(`${file}.new`, mode);
  renameSync(`${file}.new`, file);
}
