CREATE TABLE attempts (
  seq INTEGER NOT NULL,
  attempt INTEGER NOT NULL,
  started_at INTEGER,
  ended_at INTEGER NOT NULL,
  cause TEXT NOT NULL,
  error TEXT,
  PRIMARY KEY (seq, attempt)
) STRICT, WITHOUT ROWID;

CREATE TABLE cancel_requests (
  id INTEGER PRIMARY KEY,
  criteria TEXT NOT NULL,
  created_at INTEGER NOT NULL,
  last_seq INTEGER NOT NULL,
  cursor TEXT
) STRICT;

CREATE TABLE counters (
  queue TEXT NOT NULL,
  state TEXT NOT NULL,
  jobs INTEGER NOT NULL,
  PRIMARY KEY (queue, state)
) STRICT, WITHOUT ROWID;

CREATE TABLE expirations (
  expires_at INTEGER NOT NULL,
  seq INTEGER NOT NULL,
  kind TEXT NOT NULL CHECK (CASE kind WHEN 'ttl' THEN 1 WHEN 'deadline' THEN 1 ELSE 0 END),
  PRIMARY KEY (expires_at, seq, kind)
) STRICT, WITHOUT ROWID;

CREATE TABLE idempotency_keys (
  idempotency_key TEXT PRIMARY KEY,
  seq INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE INDEX idx_idempotency_keys_seq ON idempotency_keys (seq);

CREATE TABLE jobs (
  seq INTEGER PRIMARY KEY,
  state TEXT NOT NULL,
  job_type TEXT NOT NULL,
  queue TEXT NOT NULL DEFAULT 'default',
  priority INTEGER NOT NULL DEFAULT 0,
  payload TEXT NOT NULL,
  created_at INTEGER NOT NULL,
  finished_at INTEGER,
  waits_for TEXT,
  result TEXT,
  subject_key TEXT,
  generation INTEGER, attempt INTEGER NOT NULL DEFAULT 0, failures INTEGER NOT NULL DEFAULT 0, suspicion INTEGER NOT NULL DEFAULT 0, started_at INTEGER, policy TEXT, cancel_requested INTEGER, superseded_by INTEGER, retried_from INTEGER, run_at INTEGER, user_tag TEXT, parent_job_id INTEGER, chain_group_id TEXT, result_summary TEXT, artifacts TEXT, trace_id TEXT, traceparent TEXT,
  CHECK (CASE WHEN finished_at IS NULL
    THEN CASE state
      WHEN 'RUNNING' THEN waits_for IS NULL
      WHEN 'QUEUED' THEN waits_for IS 'turn'
      WHEN 'SCHEDULED' THEN waits_for IS NOT NULL AND waits_for <> 'turn'
      ELSE 0
    END
    ELSE CASE state
      WHEN 'DONE' THEN waits_for IS NULL
      WHEN 'FAILED' THEN waits_for IS NULL
      WHEN 'CANCELLED' THEN waits_for IS NULL
      WHEN 'SUPERSEDED' THEN waits_for IS NULL
      WHEN 'SKIPPED_TTL' THEN waits_for IS NULL
      WHEN 'SKIPPED_DEADLINE' THEN waits_for IS NULL
      ELSE 0
    END
  END)
) STRICT;

CREATE INDEX idx_jobs_chain_group ON jobs (chain_group_id) WHERE chain_group_id IS NOT NULL;

CREATE INDEX idx_jobs_parent ON jobs (parent_job_id) WHERE parent_job_id IS NOT NULL;

CREATE INDEX idx_jobs_user_tag ON jobs (user_tag) WHERE user_tag IS NOT NULL;

CREATE INDEX idx_jobs_waiting ON jobs (waits_for, run_at, suspicion, priority DESC, seq) WHERE waits_for IS NOT NULL;

CREATE TABLE meta (
  name TEXT PRIMARY KEY,
  value ANY NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE payloads (
  seq INTEGER PRIMARY KEY,
  payload TEXT NOT NULL
) STRICT;

CREATE TABLE progress (
  seq INTEGER PRIMARY KEY,
  fraction REAL NOT NULL,
  note TEXT,
  at INTEGER NOT NULL
) STRICT;

CREATE TABLE schema_migrations (
  version INTEGER PRIMARY KEY,
  name TEXT NOT NULL,
  checksum TEXT NOT NULL,
  applied_at INTEGER NOT NULL
) STRICT;

CREATE TABLE subjects (
  subject_key TEXT PRIMARY KEY,
  latest_generation INTEGER NOT NULL,
  latest_seq INTEGER NOT NULL,
  running_seq INTEGER,
  last_seq INTEGER NOT NULL
, jobs INTEGER NOT NULL DEFAULT 0) STRICT, WITHOUT ROWID;
