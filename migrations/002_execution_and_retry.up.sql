-- attempt: the number of the latest attempt, counted before its handler starts; with seq it names a claim.
-- failures: attempts that failed and count against the retry policy.
-- suspicion: 0 trusted; 1 claimed when the process died, or begun when its thread died: runs alone in its thread;
--   2 claimed once more when the process died: runs alone in the whole engine, so that a further death is its own.
-- policy: JSON of the options that this job overrides (retry, timeout_ms), or NULL.
-- cancel_requested: time of the request, while the job runs.
ALTER TABLE jobs ADD COLUMN attempt INTEGER NOT NULL DEFAULT 0;
ALTER TABLE jobs ADD COLUMN failures INTEGER NOT NULL DEFAULT 0;
ALTER TABLE jobs ADD COLUMN suspicion INTEGER NOT NULL DEFAULT 0;
ALTER TABLE jobs ADD COLUMN started_at INTEGER;
ALTER TABLE jobs ADD COLUMN policy TEXT;
ALTER TABLE jobs ADD COLUMN cancel_requested INTEGER;
ALTER TABLE jobs ADD COLUMN superseded_by INTEGER;
ALTER TABLE jobs ADD COLUMN retried_from INTEGER;

-- One row for each attempt that did not succeed.
CREATE TABLE attempts (
  seq INTEGER NOT NULL,
  attempt INTEGER NOT NULL,
  started_at INTEGER,
  ended_at INTEGER NOT NULL,
  cause TEXT NOT NULL,
  error TEXT,
  PRIMARY KEY (seq, attempt)
) STRICT, WITHOUT ROWID;

CREATE TABLE idempotency_keys (
  idempotency_key TEXT PRIMARY KEY,
  seq INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
