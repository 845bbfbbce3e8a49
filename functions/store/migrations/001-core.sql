-- Hosts and their keys, tokens, runbook versions, commands, the audit trail, live tickets, webhook calls.

CREATE TABLE hosts (
  name        text PRIMARY KEY,
  enrolled_at timestamptz NOT NULL,
  enrolled_by text NOT NULL
);

-- Retired keys stay: what they signed while they were valid can still be told from a forgery.
CREATE TABLE host_keys (
  host       text NOT NULL REFERENCES hosts (name),
  role       text NOT NULL CHECK (role IN ('agent', 'runner')),
  key_id     text NOT NULL,
  pem        text NOT NULL,
  added_at   timestamptz NOT NULL,
  retired_at timestamptz,
  PRIMARY KEY (host, role, key_id)
);

-- The last heartbeat of each host.
CREATE TABLE host_state (
  host             text PRIMARY KEY REFERENCES hosts (name),
  report_id        uuid NOT NULL,
  -- When the agent wrote it, by the agent's clock; decides which of two heartbeats is the newer.
  reported_at      timestamptz NOT NULL,
  -- When it came in, by our clock; decides whether the host is heard of.
  received_at      timestamptz NOT NULL,
  agent_version    text NOT NULL,
  policy_hash      text NOT NULL,
  vitals           jsonb NOT NULL,
  running_commands jsonb NOT NULL
);

CREATE TABLE api_tokens (
  id         uuid PRIMARY KEY,
  name       text NOT NULL UNIQUE CHECK (length(name) BETWEEN 1 AND 100),
  role       text NOT NULL CHECK (role IN ('viewer', 'responder', 'operator', 'admin')),
  -- SHA-256 of the token, which has 256 random bits: nothing slower is needed.
  hash       bytea NOT NULL UNIQUE,
  created_at timestamptz NOT NULL,
  revoked_at timestamptz
);

CREATE TABLE runbook_versions (
  version    integer PRIMARY KEY CHECK (version > 0),
  text       text NOT NULL,
  applied_at timestamptz NOT NULL,
  applied_by text NOT NULL
);

CREATE TABLE commands (
  id              uuid PRIMARY KEY,
  operation       text NOT NULL,
  host            text NOT NULL,
  params          jsonb NOT NULL,
  dry_run         boolean NOT NULL,
  actor_kind      text NOT NULL CHECK (actor_kind IN ('token', 'webhook', 'schedule', 'channel')),
  actor_name      text NOT NULL,
  actor_role      text NOT NULL,
  idempotency_key text,
  -- SHA-256 of what was asked under the key, so that a key used for something else is noticed.
  order_digest    text NOT NULL,
  incident        text,
  state           text NOT NULL,
  code            text,
  message         text,
  result          jsonb,
  steps           jsonb NOT NULL DEFAULT '[]',
  output          jsonb NOT NULL DEFAULT '[]',
  requested_at    timestamptz NOT NULL,
  -- Start by this time.
  expires_at      timestamptz NOT NULL,
  timeout_ms      integer NOT NULL,
  sent_at         timestamptz,
  accepted_at     timestamptz,
  finished_at     timestamptz,
  -- True when nobody said that it expired but our clock: a late word of the host counts more.
  swept           boolean NOT NULL DEFAULT false,
  -- The signed bytes, kept so that sending again sends the same.
  payload         bytea,
  signature       bytea,
  key_id          text
);
CREATE UNIQUE INDEX commands_idempotency ON commands (actor_kind, actor_name, idempotency_key)
  WHERE idempotency_key IS NOT NULL;
CREATE INDEX commands_newest ON commands (requested_at DESC, id DESC);
CREATE INDEX commands_unsettled ON commands (state)
  WHERE state IN ('requested', 'awaiting-approval', 'sent', 'accepted', 'running');

CREATE TABLE command_events (
  command_id uuid NOT NULL REFERENCES commands (id),
  -- Place in the order that readers see; NULL while an earlier step of the host is still on its way.
  seq        integer,
  -- The host's own number of a step's event.
  step_seq   integer,
  at         timestamptz NOT NULL,
  kind       text NOT NULL CHECK (kind IN ('state', 'step', 'refused')),
  state      text,
  step       text,
  phase      text,
  ok         boolean,
  detail     text
);
CREATE UNIQUE INDEX command_events_order ON command_events (command_id, seq) WHERE seq IS NOT NULL;
CREATE UNIQUE INDEX command_events_step ON command_events (command_id, step_seq) WHERE step_seq IS NOT NULL;
CREATE UNIQUE INDEX command_events_state ON command_events (command_id, state) WHERE kind = 'state';
CREATE INDEX command_events_waiting ON command_events (command_id) WHERE seq IS NULL;

-- Append-only; each row carries the hash of the one before. `detail` is json, not jsonb, since its exact text is hashed.
CREATE TABLE audit (
  seq       bigint PRIMARY KEY CHECK (seq > 0),
  at        timestamptz NOT NULL,
  actor     text NOT NULL,
  action    text NOT NULL,
  target    text,
  detail    json NOT NULL,
  prev_hash bytea NOT NULL,
  hash      bytea NOT NULL
);
CREATE INDEX audit_action ON audit (action, seq DESC);
CREATE INDEX audit_target ON audit (target, action);

CREATE FUNCTION forbid_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  RAISE EXCEPTION '% of table % is forbidden: it is append-only', TG_OP, TG_TABLE_NAME USING ERRCODE = 'insufficient_privilege';
END $$;
CREATE TRIGGER audit_rows_stay BEFORE UPDATE OR DELETE ON audit FOR EACH ROW EXECUTE FUNCTION forbid_change();
CREATE TRIGGER audit_stays BEFORE TRUNCATE ON audit FOR EACH STATEMENT EXECUTE FUNCTION forbid_change();

-- Tickets of the relay, one half for each side; each half is used once. Known by the SHA-256 of each half.
CREATE TABLE live_tickets (
  viewer_hash    bytea PRIMARY KEY,
  agent_hash     bytea NOT NULL UNIQUE,
  -- Set once the command that carries the agent's half stands.
  command_id     uuid,
  host           text,
  service        text NOT NULL,
  actor          text NOT NULL,
  created_at     timestamptz NOT NULL,
  expires_at     timestamptz NOT NULL,
  viewer_used_at timestamptz,
  agent_used_at  timestamptz
);
CREATE INDEX live_tickets_expiry ON live_tickets (expires_at);

-- Signatures of webhook calls that were taken; a second call with the same one is a replay.
CREATE TABLE webhook_calls (
  webhook   text NOT NULL,
  signature text NOT NULL,
  called_at timestamptz NOT NULL,
  PRIMARY KEY (webhook, signature)
);
CREATE INDEX webhook_calls_age ON webhook_calls (called_at);
