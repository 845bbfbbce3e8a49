// The tick's part of anchoring: it asks `sign` when an anchor is due. It never throws, since an unreachable bucket or `sign`
// must not make the tick fail. A failure is logged, and alert.ts raises an alert when it lasts.
import type { Deps } from '../deps.ts';
import { findAuditHead, findLastAnchor } from '../store/audit-anchor.ts';
import { isAnchorDue } from './due.ts';

export type AskDeps = Pick<Deps, 'db' | 'clock' | 'log' | 'anchorAudit'>;

/** Asks `sign` for an anchor when one is due. */
export async function askForAnchor(deps: AskDeps): Promise<'not due' | 'asked' | 'failed'> {
  const head = await findAuditHead(deps.db);
  if (!head || !isAnchorDue(head, await findLastAnchor(deps.db), deps.clock())) return 'not due';
  try {
    await deps.anchorAudit();
    return 'asked';
  } catch (error) {
    deps.log.error('audit trail could not be anchored', error, { entry: head.seq });
    return 'failed';
  }
}
