-- Whether a round is open is a state ('due'), no longer the distance of two counters. What the last round found stays in
-- proof_state while the next one is open.
ALTER TABLE backups
  ADD COLUMN verification_state text NOT NULL DEFAULT 'due'
    CONSTRAINT verification_state_check CHECK (verification_state IN ('due', 'intact', 'verified', 'corrupt'));
UPDATE backups SET verification_state = proof_state WHERE round = proven_round;
ALTER TABLE backups DROP COLUMN proven_round;
