-- Why an alert fires now, when that is no longer what it was raised with; NULL while it is. `reason` itself stays: messages
-- that were sent, or are sent again, say it.
ALTER TABLE alerts ADD COLUMN latest_reason text;
