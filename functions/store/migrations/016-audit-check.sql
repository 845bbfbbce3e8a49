-- When the daily check of the audit trail ended last, whatever it found: the tick tells when none ended for long.
CREATE TABLE audit_check (
  is_only  boolean PRIMARY KEY DEFAULT true CHECK (is_only),
  ended_at timestamptz NOT NULL
);
