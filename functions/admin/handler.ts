// Entry point `admin`: migrates, and creates the first token of a deployment whose database only the functions can reach.
// Private: IAM admits only the deployer's account, and the identity token is checked here again.
import { LamplighterError } from '#shared/errors.ts';
import { readAnchors } from '../audit/read-anchors.ts';
import type { Deps } from '../deps.ts';
import type { Handler } from '../http/answer.ts';
import { privateHandler } from '../http/private.ts';
import { AdminCommand, runAdminCommand } from './command.ts';

/** The handler of `admin`: `{"command":"migrate"}`, `{"command":"create-token","name":…,"role":…}`, and so on. */
export function handleAdmin(deps: Deps): Handler {
  return privateHandler(deps, async (body) => {
    const order = AdminCommand.safeParse(body);
    if (!order.success) {
      throw new LamplighterError(
        'invalid-input',
        'read admin command: there is no such command, or its fields are not valid',
        {
          hint: 'Send {"command":"migrate"}, {"command":"create-token","name":"alice","role":"admin"}, {"command":"revoke-token","name":"alice"} or {"command":"verify-audit"}.',
        },
      );
    }
    const means = {
      functionsUrl: deps.config.get('DATABASE_URL').reveal(),
      readAnchors: async () => {
        const bucket = await deps.openBucket(deps.config.get('BACKUP_BUCKET'));
        return await readAnchors(bucket, deps.config.get('SIGNING_PUBLIC_KEYS'));
      },
    };
    return { body: await runAdminCommand(deps.db, order.data, means) };
  });
}
