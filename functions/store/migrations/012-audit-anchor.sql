-- The newest anchor of the audit trail. It only tells when the next one is due: the check of the trail reads the bucket,
-- never this.
CREATE TABLE audit_anchor (
  is_only     boolean PRIMARY KEY DEFAULT true CHECK (is_only),
  seq         bigint NOT NULL,
  hash        bytea NOT NULL,
  anchored_at timestamptz NOT NULL
);
