-- A verification is a round: opened by whoever wants one, gone on with by whoever gets its message, closed once.

ALTER TABLE backups
  -- The round that was opened last, and the one that was closed last; open while they differ.
  ADD COLUMN round        integer NOT NULL DEFAULT 1,
  ADD COLUMN proven_round integer NOT NULL DEFAULT 0;
UPDATE backups SET proven_round = 1 WHERE proof_state <> 'pending';

-- Parts that were gone through belong to a round; those of before are gone through again.
DELETE FROM backup_part_proofs;
ALTER TABLE backup_part_proofs
  ADD COLUMN round      integer NOT NULL,
  ADD COLUMN object     text NOT NULL,
  -- Which object it was in the bucket, and until when the bucket may not let go of it; NULL when there was none, or no rule.
  ADD COLUMN generation text,
  ADD COLUMN kept_until timestamptz;
