-- A row whose message must have gone out says when it goes out again, in every table as deliveries do.
ALTER TABLE backups ADD COLUMN next_publish_at timestamptz NOT NULL DEFAULT now();
UPDATE backups SET next_publish_at = least(coalesce(ordered_at, finished_at), now()) + interval '30 minutes';
ALTER TABLE backups DROP COLUMN ordered_at;
CREATE INDEX backups_due ON backups (next_publish_at) WHERE verification_state = 'due';

ALTER TABLE commands ADD COLUMN next_publish_at timestamptz NOT NULL DEFAULT now();
CREATE INDEX commands_unsigned ON commands (next_publish_at) WHERE state = 'requested';
