-- The runbook as its text was read, in JSON, so that a function need not read YAML when it starts. Null for a version that was
-- applied before, or whose document has values that JSON does not have: that one is read from its text.
ALTER TABLE runbook_versions ADD COLUMN IF NOT EXISTS document text;
