DROP INDEX idx_jobs_due;
ALTER TABLE jobs DROP COLUMN waits_for;
ALTER TABLE jobs DROP COLUMN run_at;
