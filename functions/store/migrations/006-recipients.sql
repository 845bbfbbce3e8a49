-- A delivery is to one recipient of a channel, and a line in a host's alert log waits for its command to end.

ALTER TABLE deliveries
  -- A mail address; empty for a channel that has only itself.
  ADD COLUMN recipient  text NOT NULL DEFAULT '',
  -- What this delivery tells besides the alert: who could not be told, and why.
  ADD COLUMN note       text,
  -- The command that writes the line, while the delivery waits for its end.
  ADD COLUMN command_id uuid REFERENCES commands (id),
  -- Commands that ended without having written it.
  ADD COLUMN lost_commands integer NOT NULL DEFAULT 0,
  DROP CONSTRAINT deliveries_state_check,
  DROP CONSTRAINT deliveries_event_check,
  DROP CONSTRAINT deliveries_alert_id_event_channel_key;
ALTER TABLE deliveries
  ADD CHECK (state IN ('pending', 'sent', 'delivered', 'failed')),
  ADD CHECK (event IN ('firing', 'resolved', 'undelivered')),
  ADD UNIQUE (alert_id, event, channel, recipient);
CREATE INDEX deliveries_sent ON deliveries (command_id) WHERE state = 'sent';
