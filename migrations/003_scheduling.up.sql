-- What a SCHEDULED job waits for: 'time' (run_at), or 'subject' (an older run of its subject).
ALTER TABLE jobs ADD COLUMN run_at INTEGER;
ALTER TABLE jobs ADD COLUMN waits_for TEXT;

CREATE INDEX idx_jobs_due ON jobs (run_at) WHERE state = 'SCHEDULED' AND waits_for = 'time';
