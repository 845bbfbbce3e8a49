-- Whose key signed a command's end; NULL while it has none, and where only our clock ended it.

ALTER TABLE commands ADD COLUMN ended_by text CHECK (ended_by IN ('agent', 'runner'));
