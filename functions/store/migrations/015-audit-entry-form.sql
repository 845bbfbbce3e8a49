-- Whoever may add an entry can't add one that nobody can read: a time that no clock of ours says (infinity, the year
-- 294276), or a detail that is no object or holds what jsonb does not take (\u0000, half a surrogate pair). NOT VALID
-- since an entry that is already there is for the check of the trail to tell, and must not keep a migration from running.
ALTER TABLE audit
  ADD CONSTRAINT audit_time_is_sane CHECK (at >= '2020-01-01T00:00Z' AND at < '2200-01-01T00:00Z') NOT VALID,
  ADD CONSTRAINT audit_detail_is_object CHECK (jsonb_typeof(detail::jsonb) = 'object') NOT VALID;
