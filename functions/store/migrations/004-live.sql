-- A ticket has two halves, one for each side, so that neither can pose as the other.

-- They live for a minute: none is worth keeping over this change.
DELETE FROM live_tickets;
ALTER TABLE live_tickets RENAME COLUMN hash TO viewer_hash;
ALTER TABLE live_tickets RENAME COLUMN watcher_used_at TO viewer_used_at;
ALTER TABLE live_tickets ADD COLUMN agent_hash bytea NOT NULL UNIQUE;
-- The ticket must stand before the command that carries its agent half can reach the agent.
ALTER TABLE live_tickets ALTER COLUMN command_id DROP NOT NULL;
ALTER TABLE live_tickets ALTER COLUMN host DROP NOT NULL;
