DROP INDEX idx_jobs_waiting;
ALTER TABLE jobs DROP COLUMN run_at;
