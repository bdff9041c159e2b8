DROP INDEX idx_idempotency_keys_seq;
ALTER TABLE subjects DROP COLUMN jobs;
