-- jobs: how many rows there are of a subject. Its latest job goes last, and the subject with it.
ALTER TABLE subjects ADD COLUMN jobs INTEGER NOT NULL DEFAULT 0;
UPDATE subjects SET jobs = counted.jobs FROM
  (SELECT subject_key, count(*) AS jobs FROM jobs WHERE subject_key IS NOT NULL GROUP BY subject_key) AS counted
  WHERE counted.subject_key = subjects.subject_key;

-- A key goes with its job.
CREATE INDEX idx_idempotency_keys_seq ON idempotency_keys (seq);
