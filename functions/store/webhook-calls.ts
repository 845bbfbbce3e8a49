// Signatures of accepted webhook calls, so that no call is accepted twice.
import type { Queryable } from './database.ts';

/** Longer than a call's time stamp is accepted, so a forgotten signature is too old anyway. */
const KEPT_FOR = '1 hour';

/** Stores a signature; false when it was stored before. */
export async function claimWebhookCall(
  db: Queryable,
  webhook: string,
  signature: string,
  now: Date,
): Promise<boolean> {
  await db.query(`DELETE FROM webhook_calls WHERE called_at < $1::timestamptz - interval '${KEPT_FOR}'`, [
    now,
  ]);
  const { rowCount } = await db.query(
    `INSERT INTO webhook_calls (webhook, signature, called_at) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING`,
    [webhook, signature, now],
  );
  return rowCount === 1;
}
