-- What a SCHEDULED job waits for: 'time' (run_at), 'subject' (an older run of its subject), or 'handler' (an engine that
-- serves its job type).
ALTER TABLE jobs ADD COLUMN run_at INTEGER;

-- All that waits: what is due in the order of its time, and the backlog in the order of claims within each degree of
-- suspicion.
CREATE INDEX idx_jobs_waiting ON jobs (waits_for, run_at, suspicion, priority DESC, seq) WHERE waits_for IS NOT NULL;
