// Entry point `verify`: one backup by a pushed order, or the daily round of the scheduler: backups, and the audit trail.
import * as z from 'zod';
import { LamplighterError, messageOf } from '#shared/errors.ts';
import { checkTrailDaily } from '../audit/daily-check.ts';
import { type PushMessage, parsePush } from '../cloud/push.ts';
import type { Deps } from '../deps.ts';
import type { Answer, Handler } from '../http/answer.ts';
import { pushedHandler } from '../http/private.ts';
import { startDailyRound } from './daily-round.ts';
import { VerificationOrder } from './request.ts';
import { type VerifyDeps, verifyBackup } from './verify.ts';

const DailyRound = z.lazy(() => z.strictObject({ all: z.literal(true) }));

function parseCall(body: unknown): PushMessage | 'daily round' {
  return DailyRound.safeParse(body).success ? 'daily round' : parsePush(body);
}

/** The handler of `verify`. */
export function handleVerify(deps: Deps): Handler {
  return pushedHandler(deps, parseCall, (call) =>
    call === 'daily round' ? startRound(deps) : verifyPushed(deps, call),
  );
}

/** Runs both parts even when one of them fails, and then throws the failure. */
async function startRound(deps: Deps): Promise<Answer> {
  const [backups, trail] = await Promise.allSettled([orderBackups(deps), proveTrail(deps)]);
  if (backups.status === 'rejected' && trail.status === 'rejected') {
    const causes = [backups.reason, trail.reason].map(messageOf);
    throw new LamplighterError('failed', `run daily round: ${causes.join(' · ')}`, { cause: trail.reason });
  }
  if (backups.status === 'rejected') throw backups.reason;
  if (trail.status === 'rejected') throw trail.reason;
  return { body: { ordered: backups.value, auditIntact: true } };
}

/** Throws `corrupt` when the trail has a fault, so that the scheduler's job fails as well. */
async function proveTrail(deps: Deps): Promise<void> {
  const { faults } = await checkTrailDaily(deps);
  const [first] = Object.values(faults).flat();
  if (first !== undefined) throw new LamplighterError('corrupt', `check audit trail: ${first}`);
}

async function orderBackups({ db, clock, publisher, openBucket, config }: Deps): Promise<number> {
  const bucket = await openBucket(config.get('BACKUP_BUCKET'));
  return await startDailyRound({ db, clock, publisher, bucket });
}

async function verifyPushed(deps: Deps, message: PushMessage): Promise<Answer> {
  const order = parseOrder(message.data);
  if (!order) {
    deps.log.warning('verification refused', { reason: 'not an order' });
    return {};
  }
  const outcome = await verifyBackup(await verifyDeps(deps), order);
  deps.log.info('verification ended', { host: order.host, backupId: order.backupId, outcome });
  return {};
}

async function verifyDeps(deps: Deps): Promise<VerifyDeps> {
  const { db, clock, publisher } = deps;
  const bucket = await deps.openBucket(deps.config.get('BACKUP_BUCKET'));
  return { db, clock, publisher, bucket };
}

function parseOrder(data: Buffer): VerificationOrder | undefined {
  try {
    return VerificationOrder.parse(JSON.parse(data.toString('utf8')));
  } catch (error) {
    // A malformed message stays malformed on redelivery.
    if (error instanceof SyntaxError || error instanceof z.ZodError) return undefined;
    throw new LamplighterError('internal', `read order: ${messageOf(error)}`, { cause: error });
  }
}
