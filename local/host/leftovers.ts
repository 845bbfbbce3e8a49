// What a host can leave behind when its owner was killed: its link and its cgroup. Its processes and mounts died with its
// namespaces.
import { existsSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { openCgroup, removeCgroup } from './cgroup.ts';
import { closeLink, HostLink } from './network.ts';

/** Removes what an earlier, killed owner of this state left; harmless when there is nothing. */
export async function reapLeftovers(stateDir: string): Promise<void> {
  const file = join(stateDir, 'link.json');
  if (!existsSync(file)) return;
  const link = HostLink.safeParse(JSON.parse(readFileSync(file, 'utf8')));
  if (!link.success) return;
  await closeLink(link.data);
  removeCgroup(openCgroup(link.data.bridge));
  rmSync(join(stateDir, 'boot'), { recursive: true, force: true });
}
