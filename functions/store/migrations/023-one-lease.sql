-- A lease has the same two columns in every table: who holds the row, and until when.
ALTER TABLE check_states RENAME COLUMN run_id TO lease_holder;
ALTER TABLE backups RENAME COLUMN lease_owner TO lease_holder;
ALTER TABLE backups RENAME COLUMN lease_until TO leased_until;
ALTER TABLE deliveries RENAME COLUMN lease_id TO lease_holder;
ALTER TABLE schedule_runs ADD COLUMN lease_holder uuid;
ALTER TABLE schedule_runs ALTER COLUMN leased_until DROP NOT NULL;
