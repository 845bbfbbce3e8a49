// The result of each verified part of a backup, stored at once, so that an interrupted round continues with the next part.
import * as z from 'zod';
import { BackupId, HostName } from '#shared/names.ts';
import { AT_LEAST } from '../backup/state.ts';
import { type Queryable, queryRows } from './database.ts';
import { toJson } from './json.ts';
import { isHeldBy, type Lease } from './lease.ts';

export interface PartProof {
  host: string;
  id: string;
  part: string;
  round: number;
  /** The manifest that the part was checked against. */
  manifestSha256: string;
  object: string;
  generation: string | null;
  keptUntil: Date | null;
  faults: readonly string[];
  at: Date;
}

const KnownPart = z.lazy(() => z.object({ part: z.string(), faults: z.array(z.string()) }));

/** Parts that this round has already checked against this manifest. */
export async function listPartProofs(
  db: Queryable,
  key: Pick<PartProof, 'host' | 'id' | 'round' | 'manifestSha256'>,
): Promise<Map<string, string[]>> {
  const rows = await queryRows(
    db,
    KnownPart,
    `SELECT part, faults FROM backup_part_proofs
     WHERE host = $1 AND backup_id = $2 AND round = $3 AND manifest_sha256 = $4`,
    [key.host, key.id, key.round, key.manifestSha256],
  );
  return new Map(rows.map(({ part, faults }) => [part, faults]));
}

/** Records that a part was gone through; false, and nothing is written, when the lease of the backup was lost. */
export async function savePartProof(
  db: Queryable,
  proof: PartProof,
  { holder }: Pick<Lease, 'holder'>,
): Promise<boolean> {
  // The lock keeps the lease from being taken over while this row is written.
  const { rowCount } = await db.query(
    `INSERT INTO backup_part_proofs
       (host, backup_id, part, round, manifest_sha256, object, generation, kept_until, faults, checked_at)
     SELECT $1, $2, $3, $4, $5, $6, $7, $8, $9, $10
     FROM backups WHERE host = $1 AND id = $2 AND ${isHeldBy('$11')} FOR SHARE
     ON CONFLICT (host, backup_id, part) DO UPDATE SET
       round = excluded.round, manifest_sha256 = excluded.manifest_sha256, object = excluded.object,
       generation = excluded.generation, kept_until = excluded.kept_until, faults = excluded.faults,
       checked_at = excluded.checked_at`,
    [
      proof.host,
      proof.id,
      proof.part,
      proof.round,
      proof.manifestSha256,
      proof.object,
      proof.generation,
      proof.keptUntil,
      toJson(proof.faults),
      proof.at,
      holder,
    ],
  );
  return rowCount === 1;
}

const ProvenObject = z.lazy(() =>
  z.object({
    host: HostName,
    id: BackupId,
    object: z.string(),
    generation: z.string(),
  }),
);
export type ProvenObject = z.infer<typeof ProvenObject>;

/**
 * Objects of proven backups that must still be in the bucket: those whose retention has not ended and, without a retention
 * rule, those of backups taken after `since`.
 */
export async function listProvenObjects(
  db: Queryable,
  { now, since }: { now: Date; since: Date },
): Promise<ProvenObject[]> {
  return await queryRows(
    db,
    ProvenObject,
    `SELECT p.host, p.backup_id AS id, p.object, p.generation
     FROM backup_part_proofs p JOIN backups b ON b.host = p.host AND b.id = p.backup_id
     WHERE b.proof_state = ANY ($3) AND p.generation IS NOT NULL
       AND CASE WHEN p.kept_until IS NULL THEN b.finished_at > $2 ELSE p.kept_until > $1 END
     ORDER BY p.host, p.backup_id, p.part`,
    [now, since, AT_LEAST.intact],
  );
}
