-- Some alerts about the audit trail have a subject without the finding's hash, which 019 expects.
UPDATE alerts SET subject = subject || ':' || subject WHERE kind = 'audit' AND subject IN ('trail', 'foreign', 'coverage');
