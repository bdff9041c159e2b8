CREATE TABLE attempts (
  seq INTEGER NOT NULL,
  attempt INTEGER NOT NULL,
  started_at INTEGER,
  ended_at INTEGER NOT NULL,
  cause TEXT NOT NULL,
  error TEXT,
  PRIMARY KEY (seq, attempt)
) STRICT, WITHOUT ROWID;

CREATE TABLE counters (
  queue TEXT NOT NULL,
  state TEXT NOT NULL,
  jobs INTEGER NOT NULL,
  PRIMARY KEY (queue, state)
) STRICT, WITHOUT ROWID;

CREATE TABLE idempotency_keys (
  idempotency_key TEXT PRIMARY KEY,
  seq INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE jobs (
  seq INTEGER PRIMARY KEY,
  state TEXT NOT NULL,
  job_type TEXT NOT NULL,
  queue TEXT NOT NULL DEFAULT 'default',
  priority INTEGER NOT NULL DEFAULT 0,
  payload TEXT NOT NULL,
  created_at INTEGER NOT NULL,
  finished_at INTEGER,
  result TEXT,
  subject_key TEXT,
  generation INTEGER, attempt INTEGER NOT NULL DEFAULT 0, failures INTEGER NOT NULL DEFAULT 0, suspicion INTEGER NOT NULL DEFAULT 0, started_at INTEGER, policy TEXT, cancel_requested INTEGER, superseded_by INTEGER, retried_from INTEGER, run_at INTEGER, waits_for TEXT, user_tag TEXT, parent_job_id INTEGER, chain_group_id TEXT, result_summary TEXT, artifacts TEXT,
  CHECK (CASE state
    WHEN 'RUNNING' THEN finished_at IS NULL
    WHEN 'QUEUED' THEN finished_at IS NULL
    WHEN 'SCHEDULED' THEN finished_at IS NULL
    WHEN 'DONE' THEN finished_at IS NOT NULL
    WHEN 'FAILED' THEN finished_at IS NOT NULL
    WHEN 'CANCELLED' THEN finished_at IS NOT NULL
    WHEN 'SUPERSEDED' THEN finished_at IS NOT NULL
    WHEN 'SKIPPED_TTL' THEN finished_at IS NOT NULL
    WHEN 'SKIPPED_DEADLINE' THEN finished_at IS NOT NULL
    ELSE 0
  END)
) STRICT;

CREATE INDEX idx_jobs_chain_group ON jobs (chain_group_id) WHERE chain_group_id IS NOT NULL;

CREATE INDEX idx_jobs_parent ON jobs (parent_job_id) WHERE parent_job_id IS NOT NULL;

CREATE INDEX idx_jobs_queued ON jobs (suspicion, priority DESC, seq) WHERE state = 'QUEUED';

CREATE INDEX idx_jobs_scheduled ON jobs (waits_for, run_at) WHERE state = 'SCHEDULED';

CREATE INDEX idx_jobs_subject_live ON jobs (subject_key)
  WHERE subject_key IS NOT NULL AND (state = 'QUEUED' OR state = 'SCHEDULED' OR state = 'RUNNING');

CREATE INDEX idx_jobs_user_tag ON jobs (user_tag) WHERE user_tag IS NOT NULL;

CREATE TABLE meta (
  name TEXT PRIMARY KEY,
  value ANY NOT NULL
) STRICT, WITHOUT ROWID;

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
  last_seq INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
