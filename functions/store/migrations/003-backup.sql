-- Backups as their hosts reported them or their manifests say, and what verification found out.

CREATE TABLE backups (
  host            text NOT NULL,
  id              text NOT NULL,
  database        text NOT NULL,
  command_id      uuid,
  started_at      timestamptz NOT NULL,
  finished_at     timestamptz NOT NULL,
  bytes           bigint NOT NULL,
  tables          integer NOT NULL,
  rows            bigint NOT NULL,
  proof_state     text NOT NULL DEFAULT 'pending' CHECK (proof_state IN ('pending', 'verified', 'corrupt')),
  proof_at        timestamptz,
  faults          jsonb NOT NULL DEFAULT '[]',
  -- SHA-256 of the manifest object that the proof is about.
  manifest_sha256 text,
  -- Whoever verifies holds this; it runs out by itself when that one is killed.
  lease_owner     uuid,
  lease_until     timestamptz,
  PRIMARY KEY (host, id)
);
CREATE INDEX backups_newest ON backups (host, finished_at DESC);

-- One row per part that was gone through, so that a verification that is cut short goes on where it was.
CREATE TABLE backup_part_proofs (
  host            text NOT NULL,
  backup_id       text NOT NULL,
  part            text NOT NULL,
  manifest_sha256 text NOT NULL,
  faults          jsonb NOT NULL,
  checked_at      timestamptz NOT NULL,
  PRIMARY KEY (host, backup_id, part),
  FOREIGN KEY (host, backup_id) REFERENCES backups (host, id)
);
