-- The role that the functions log in as. It owns nothing, so it can neither change a table nor turn off a trigger; of the
-- audit trail it may only add. It gets the password of DATABASE_URL when `admin` migrates.

DO $$ BEGIN
  CREATE ROLE lamplighter_functions NOLOGIN;
EXCEPTION WHEN duplicate_object OR unique_violation THEN
  -- Roles belong to the server: another database of it has made this one.
  NULL;
END $$;

GRANT USAGE ON SCHEMA public TO lamplighter_functions;
GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO lamplighter_functions;
ALTER DEFAULT PRIVILEGES IN SCHEMA public GRANT SELECT, INSERT, UPDATE, DELETE ON TABLES TO lamplighter_functions;

REVOKE UPDATE, DELETE ON audit, runbook_versions FROM lamplighter_functions;
REVOKE INSERT, UPDATE, DELETE ON schema_migrations FROM lamplighter_functions;
-- Tokens are made with the owner's credentials alone; the functions note their use and revoke them.
REVOKE INSERT, UPDATE, DELETE ON api_tokens FROM lamplighter_functions;
GRANT UPDATE (last_used_at, revoked_at) ON api_tokens TO lamplighter_functions;
