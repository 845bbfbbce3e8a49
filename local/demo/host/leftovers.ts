// What a host can leave behind when its owner was killed: its link and its cgroup. Its processes and mounts die with its
// namespaces, if not at once.
import { existsSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { emptyCgroup, openCgroup, removeCgroup } from './cgroup.ts';
import { closeLink, HostLink } from './network.ts';

/** Removes what an earlier, killed owner of this state left; does nothing when nothing is left. */
export async function reapLeftovers(stateDir: string): Promise<void> {
  const file = join(stateDir, 'link.json');
  if (!existsSync(file)) return;
  const link = HostLink.safeParse(JSON.parse(readFileSync(file, 'utf8')));
  if (!link.success) return;
  const cgroup = openCgroup(link.data.bridge);
  await emptyCgroup(cgroup);
  await closeLink(link.data);
  removeCgroup(cgroup);
  rmSync(join(stateDir, 'boot'), { recursive: true, force: true });
}
