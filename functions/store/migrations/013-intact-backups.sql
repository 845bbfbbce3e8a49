-- A backup whose dump is encrypted is proven intact, never verified: its bytes are those that the host signed, and the cloud can't read them.

ALTER TABLE backups
  DROP CONSTRAINT backups_proof_state_check,
  ADD CONSTRAINT backups_proof_state_check CHECK (proof_state IN ('pending', 'intact', 'verified', 'corrupt'));
