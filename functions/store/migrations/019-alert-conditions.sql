-- What an alert is about was its kind, a subject that was partly a sentinel, and its title; now it is a condition, its
-- facts, and a subject that names a thing or is NULL. `kind` stays: it is the runbook's word for the condition.

DROP INDEX alerts_one_firing;
ALTER TABLE alerts ADD COLUMN condition text, ADD COLUMN facts jsonb NOT NULL DEFAULT '{}';
ALTER TABLE alerts ALTER COLUMN subject DROP NOT NULL;

UPDATE alerts SET condition = CASE
  WHEN kind = 'check' AND title = subject || ' could not be judged' THEN 'check-unjudged'
  WHEN kind = 'check' THEN 'check-failing'
  WHEN kind = 'heartbeat' THEN 'agent-silent'
  WHEN kind = 'agent' THEN 'agent-contradiction'
  WHEN kind = 'command' THEN 'job-failed'
  WHEN kind = 'backup' AND subject = '' THEN 'backup-stale'
  WHEN kind = 'backup' THEN 'backup-corrupt'
  WHEN subject = 'anchor' THEN 'audit-unanchored'
  WHEN subject = 'check' THEN 'audit-unchecked'
  WHEN starts_with(subject, 'trail:') THEN 'audit-rewritten'
  WHEN starts_with(subject, 'foreign:') THEN 'audit-foreign-object'
  WHEN starts_with(subject, 'coverage:') THEN 'audit-uncovered'
END;
ALTER TABLE alerts ALTER COLUMN condition SET NOT NULL;

-- Of a backup and a command the subject had only a hash; where their ids can't be read, that hash stays.
UPDATE alerts SET subject = CASE
  WHEN condition = 'backup-corrupt'
    THEN coalesce(substring(title FROM '^backup (\S+) is corrupt$'), split_part(subject, ':', 2))
  WHEN condition = 'agent-contradiction'
    THEN coalesce(substring(reason FROM '^its agent says that command (\S+) '), split_part(subject, ':', 2))
  WHEN condition IN ('audit-rewritten', 'audit-foreign-object') THEN split_part(subject, ':', 2)
  WHEN condition IN ('check-failing', 'check-unjudged', 'job-failed') THEN subject
END;
UPDATE alerts SET facts = CASE condition
  WHEN 'check-failing' THEN jsonb_strip_nulls(jsonb_build_object('check', subject, 'service', service))
  WHEN 'check-unjudged' THEN jsonb_strip_nulls(jsonb_build_object('check', subject, 'service', service))
  WHEN 'job-failed' THEN jsonb_build_object('job', subject)
  WHEN 'agent-contradiction' THEN jsonb_build_object('commandId', subject)
  WHEN 'backup-corrupt' THEN jsonb_build_object('backupId', subject)
  WHEN 'backup-stale' THEN jsonb_build_object('database', coalesce(substring(title FROM '^no fresh backup of (.+)$'), ''))
  WHEN 'audit-rewritten' THEN jsonb_build_object('finding', subject)
  WHEN 'audit-foreign-object' THEN jsonb_build_object('finding', subject)
  ELSE '{}'
END;
CREATE UNIQUE INDEX alerts_one_firing ON alerts (condition, host, coalesce(subject, '')) WHERE state = 'firing';

-- The alert whose title and severity the incident has. No foreign key: the incident is written before its alert.
ALTER TABLE incidents ADD COLUMN cause uuid;
UPDATE incidents i SET cause = (
  SELECT a.id FROM alerts a WHERE a.incident = i.number AND a.title = i.title ORDER BY a.state, a.fired_at DESC LIMIT 1);

-- Of a line that tells why an alert fires: the alert.
ALTER TABLE incident_events ADD COLUMN alert uuid;
UPDATE incident_events e SET alert = (
  SELECT a.id FROM alerts a
  WHERE a.incident = e.incident AND a.fired_at <= e.at AND starts_with(e.text, a.title || ': ')
  ORDER BY length(a.title) DESC, a.fired_at DESC LIMIT 1)
WHERE e.kind IN ('alert-firing', 'alert-reason');
