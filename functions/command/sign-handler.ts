// Entry point `sign`, the only one with the signing key. It trusts no caller: it signs what the store, the audit trail and
// the runbook say now. It also anchors the head of the audit trail.
import * as z from 'zod';
import { LamplighterError } from '#shared/errors.ts';
import { CommandId } from '#shared/names.ts';
import { anchorAudit } from '../audit/anchor.ts';
import type { Deps } from '../deps.ts';
import type { Handler } from '../http/answer.ts';
import { privateHandler } from '../http/private.ts';
import { sendCommand } from './send.ts';

const SignRequest = z.lazy(() =>
  z.union([z.strictObject({ commandId: CommandId }), z.strictObject({ anchorAudit: z.literal(true) })]),
);

/**
 * `POST {"commandId"}` → `{"state"}`: the state that the command has now. `POST {"anchorAudit": true}` → `{"anchored"}`:
 * the number of the entry that was anchored, or null when no anchor was due.
 */
export function handleSign(deps: Deps): Handler {
  return privateHandler(deps, async (body) => {
    const request = SignRequest.safeParse(body);
    if (!request.success)
      throw new LamplighterError(
        'invalid-input',
        'read request: the body has neither commandId nor anchorAudit',
      );
    if ('anchorAudit' in request.data) return { body: { anchored: await anchorAudit(deps) } };
    return { body: { state: await sendCommand(deps, request.data.commandId) } };
  });
}
