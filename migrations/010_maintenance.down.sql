DROP INDEX idx_idempotency_keys_seq;
-- The way up counts it anew.
-- keeps subjects.jobs
ALTER TABLE subjects DROP COLUMN jobs;
