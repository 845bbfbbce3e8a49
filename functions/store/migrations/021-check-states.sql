-- While the watcher can't see a check its state is 'unknown'; what was confirmed last stands beside it. Before, a time said that
-- the state did not count.
ALTER TABLE check_states
  ADD COLUMN confirmed text CHECK (confirmed IN ('passing', 'failing')),
  ADD COLUMN confirmed_since timestamptz;
UPDATE check_states SET confirmed = state, confirmed_since = since WHERE state <> 'unknown';
UPDATE check_states SET state = 'unknown', since = blind_since WHERE blind_since IS NOT NULL;
ALTER TABLE check_states
  DROP COLUMN blind_since,
  ADD CHECK (state = 'unknown' OR state = confirmed);
