-- A command can be cancelled: before it is signed, or on its host.
ALTER TABLE commands
  DROP CONSTRAINT commands_state_check,
  ADD CONSTRAINT commands_state_check CHECK (state IN (
    'requested', 'sent', 'accepted', 'running',
    'succeeded', 'failed', 'timed-out', 'expired', 'rejected', 'cancelled', 'unknown'));
