-- When a verification was last asked for; NULL: only when its backup was reported.

ALTER TABLE backups ADD COLUMN ordered_at timestamptz;
