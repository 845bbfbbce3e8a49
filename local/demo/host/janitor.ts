// Waits for the end of a host's owner, however it ends, and takes the host's link away: the kernel ends the processes, and
// with them namespaces and mounts, but keeps a bridge. Its stdin is a pipe from the owner; argument: the link. Started by
// start-janitor.ts.
import { closeLink, HostLink } from './network.ts';

const link = HostLink.parse(JSON.parse(process.argv[2] ?? ''));
process.stdin.resume().on('end', () => void closeLink(link));
