-- Results and states of checks, alerts and their deliveries, incidents and their timelines, runs of scheduled jobs.

-- Every attempt of every check; kept for two weeks and deleted in batches.
CREATE TABLE check_results (
  id         bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  check_name text NOT NULL,
  host       text NOT NULL,
  at         timestamptz NOT NULL,
  -- `unknown`: the watcher itself was blind.
  verdict    text NOT NULL CHECK (verdict IN ('good', 'bad', 'unknown')),
  reason     text NOT NULL,
  latency_ms double precision
);
CREATE INDEX check_results_newest ON check_results (check_name, at DESC);
CREATE INDEX check_results_age ON check_results (at);

CREATE TABLE check_states (
  check_name   text PRIMARY KEY,
  host         text NOT NULL,
  -- What was last confirmed; `unknown` before the first result.
  state        text NOT NULL DEFAULT 'unknown' CHECK (state IN ('passing', 'failing', 'unknown')),
  since        timestamptz,
  -- Results in a row that speak against `state`; carried over when a run had no time left to confirm.
  streak       integer NOT NULL DEFAULT 0,
  -- Set while the watcher can't see: the state then counts as unknown.
  blind_since  timestamptz,
  last_run_at  timestamptz,
  latency_ms   double precision,
  detail       text,
  -- The run that holds the check, and until when: two ticks at once split the checks between them.
  run_id       uuid,
  leased_until timestamptz
);

CREATE TABLE incidents (
  number          integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  host            text NOT NULL,
  severity        text NOT NULL CHECK (severity IN ('P1', 'P2', 'P3', 'P4')),
  state           text NOT NULL CHECK (state IN ('open', 'acknowledged', 'resolved')),
  title           text NOT NULL,
  opened_at       timestamptz NOT NULL,
  respond_by      timestamptz NOT NULL,
  acknowledged_at timestamptz,
  acknowledged_by text,
  resolved_at     timestamptz
);
CREATE UNIQUE INDEX incidents_one_open ON incidents (host) WHERE state <> 'resolved';

CREATE TABLE incident_events (
  incident integer NOT NULL REFERENCES incidents (number),
  seq      integer NOT NULL,
  at       timestamptz NOT NULL,
  kind     text NOT NULL,
  text     text NOT NULL,
  actor    text,
  PRIMARY KEY (incident, seq)
);

CREATE TABLE alerts (
  id          uuid PRIMARY KEY,
  kind        text NOT NULL,
  host        text NOT NULL,
  -- What it is about within kind and host: the check, the scheduled job, or empty.
  subject     text NOT NULL,
  service     text,
  state       text NOT NULL CHECK (state IN ('firing', 'resolved')),
  severity    text NOT NULL,
  level       text NOT NULL,
  title       text NOT NULL,
  reason      text NOT NULL,
  evidence    jsonb NOT NULL DEFAULT '[]',
  fired_at    timestamptz NOT NULL,
  resolved_at timestamptz,
  -- How it ended, as `title` and `reason` say how it began.
  resolution  text,
  incident    integer REFERENCES incidents (number)
);
CREATE UNIQUE INDEX alerts_one_firing ON alerts (kind, host, subject) WHERE state = 'firing';
CREATE INDEX alerts_newest ON alerts (fired_at DESC);
CREATE INDEX alerts_incident ON alerts (incident);

-- The outbox: one row for each event of an alert and each channel, written with the alert's change.
CREATE TABLE deliveries (
  id              uuid PRIMARY KEY,
  alert_id        uuid NOT NULL REFERENCES alerts (id),
  event           text NOT NULL CHECK (event IN ('firing', 'resolved')),
  channel         text NOT NULL,
  state           text NOT NULL CHECK (state IN ('pending', 'delivered', 'failed')),
  attempts        integer NOT NULL DEFAULT 0,
  created_at      timestamptz NOT NULL,
  -- When its message is published (again), should it still be pending then.
  next_publish_at timestamptz NOT NULL,
  delivered_at    timestamptz,
  -- What the channel answered: an SMTP server's last line, a command's id.
  receipt         text,
  last_error      text,
  lease_id        uuid,
  leased_until    timestamptz,
  UNIQUE (alert_id, event, channel)
);
CREATE INDEX deliveries_pending ON deliveries (next_publish_at) WHERE state = 'pending';

-- Each scheduled time of a job at most once.
CREATE TABLE schedule_runs (
  job           text NOT NULL,
  scheduled_for timestamptz NOT NULL,
  -- The cron expression and zone that it came from: another schedule does not catch up on this one's past.
  schedule      text NOT NULL,
  host          text NOT NULL,
  started_at    timestamptz NOT NULL,
  leased_until  timestamptz NOT NULL,
  command_id    uuid,
  -- The command's final state, or `refused` when it could not be asked for; NULL until then.
  outcome       text,
  PRIMARY KEY (job, scheduled_for)
);
CREATE INDEX schedule_runs_unsettled ON schedule_runs (job) WHERE outcome IS NULL;

-- One row: since when ticks have come without a gap. Silence is counted from then on.
CREATE TABLE watch_presence (
  is_only        boolean PRIMARY KEY DEFAULT true CHECK (is_only),
  watching_since timestamptz NOT NULL,
  last_tick_at   timestamptz NOT NULL
);
