// Service accounts of the local project, named as terraform names them.
import type { ServiceAccount } from '#shared/topology.ts';

export const PROJECT_ID = 'lamplighter-local';
export const BACKUP_BUCKET = 'lamplighter-backups';

/** E-mail of a service account of the local project. */
export function serviceAccountEmail(account: ServiceAccount): string {
  return `lamplighter-${account}@${PROJECT_ID}.iam.gserviceaccount.com`;
}
