-- Denials, counted by the minute; a tick puts what nobody was told of into the audit trail and deletes the rows.

CREATE TABLE denials (
  minute  timestamptz NOT NULL,
  -- Who was denied: `token:alice`, `host:web-1`, `address:203.0.113.7`.
  source  text NOT NULL,
  action  text NOT NULL,
  -- What was asked for, from a list of ours; never text of whoever asks.
  subject text NOT NULL,
  noted   integer NOT NULL,
  untold  integer NOT NULL,
  -- The first one's circumstances.
  sample  jsonb NOT NULL,
  PRIMARY KEY (minute, source, action, subject)
);

-- How much an actor asked for lately.
CREATE INDEX commands_by_actor ON commands (actor_kind, actor_name, requested_at DESC);
