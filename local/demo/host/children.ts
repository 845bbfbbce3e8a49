// Direct children of a process, from the kernel's own list (proc(5), /proc/PID/task/TID/children).
import { readFileSync } from 'node:fs';

/** Process ids of the children of `pid`, as seen from here; none when it has ended. */
export function childrenOf(pid: number | undefined): number[] {
  try {
    const list = readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim();
    return list === '' ? [] : list.split(' ').map(Number);
  } catch {
    return [];
  }
}
