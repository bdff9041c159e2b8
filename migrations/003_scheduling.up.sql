-- What a SCHEDULED job waits for: 'time' (run_at), 'subject' (an older run of its subject), or 'handler' (an engine that
-- serves its job type).
ALTER TABLE jobs ADD COLUMN run_at INTEGER;
ALTER TABLE jobs ADD COLUMN waits_for TEXT;

CREATE INDEX idx_jobs_scheduled ON jobs (waits_for, run_at) WHERE state = 'SCHEDULED';
