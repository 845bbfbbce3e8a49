-- What whoever holds the functions' role can't do either: bring back a token that was revoked, or end the audit trail
-- with an entry that nothing can follow.

CREATE FUNCTION forbid_revival() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  RAISE EXCEPTION 'token % stays revoked', OLD.name USING ERRCODE = 'insufficient_privilege';
END $$;
CREATE TRIGGER api_tokens_stay_revoked BEFORE UPDATE ON api_tokens FOR EACH ROW
  WHEN (OLD.revoked_at IS NOT NULL AND NEW.revoked_at IS DISTINCT FROM OLD.revoked_at)
  EXECUTE FUNCTION forbid_revival();

-- Two writers at once need no lock here: both would follow the same entry, and the primary key lets one in. The path is
-- set since a temporary table named audit would otherwise be asked.
CREATE FUNCTION follow_audit() RETURNS trigger LANGUAGE plpgsql SET search_path = pg_catalog, public, pg_temp AS $$
DECLARE
  last_seq bigint;
  last_hash bytea;
BEGIN
  SELECT seq, hash INTO last_seq, last_hash FROM public.audit ORDER BY seq DESC LIMIT 1;
  IF NEW.seq = coalesce(last_seq, 0) + 1
    AND NEW.prev_hash = coalesce(last_hash, decode(repeat('00', 32), 'hex')) THEN
    RETURN NEW;
  END IF;
  RAISE EXCEPTION 'entry % does not follow the last entry of the audit trail, %', NEW.seq, coalesce(last_seq, 0)
    USING ERRCODE = 'insufficient_privilege';
END $$;
CREATE TRIGGER audit_follows BEFORE INSERT ON audit FOR EACH ROW EXECUTE FUNCTION follow_audit();
