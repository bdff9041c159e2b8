DROP INDEX idx_jobs_scheduled;
ALTER TABLE jobs DROP COLUMN waits_for;
ALTER TABLE jobs DROP COLUMN run_at;
