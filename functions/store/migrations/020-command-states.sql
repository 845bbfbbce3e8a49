-- A command's states are those of shared/command/state.ts; 'awaiting-approval' and 'cancelled' were never reached.
ALTER TABLE commands
  ADD CONSTRAINT commands_state_check CHECK (state IN (
    'requested', 'sent', 'accepted', 'running',
    'succeeded', 'failed', 'timed-out', 'expired', 'rejected', 'unknown'));
DROP INDEX commands_unsettled;
CREATE INDEX commands_unsettled ON commands (state) WHERE state IN ('requested', 'sent', 'accepted', 'running');
