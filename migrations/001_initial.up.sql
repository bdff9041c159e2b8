-- The job row, and what is kept about all of them.
--
-- A row is written twice in its life (insert as running, settle), so its width and its checks are paid twice. The
-- check is a CASE on purpose: `state IN (...)` with nine texts builds a temporary b-tree at each write and halves
-- the speed of the whole engine. It also ties finished_at to the final states.
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
  generation INTEGER,
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

-- Live rows only: finished ones, by far the most, cost these indexes nothing.
CREATE INDEX idx_jobs_subject_live ON jobs (subject_key)
  WHERE subject_key IS NOT NULL AND (state = 'QUEUED' OR state = 'SCHEDULED' OR state = 'RUNNING');

-- The latest generation of each subject. last_seq is its youngest row, with which the subject is pruned.
CREATE TABLE subjects (
  subject_key TEXT PRIMARY KEY,
  latest_generation INTEGER NOT NULL,
  latest_seq INTEGER NOT NULL,
  last_seq INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- Jobs by queue and state, kept in each commit, so that counting costs nothing.
CREATE TABLE counters (
  queue TEXT NOT NULL,
  state TEXT NOT NULL,
  jobs INTEGER NOT NULL,
  PRIMARY KEY (queue, state)
) STRICT, WITHOUT ROWID;

-- Facts about the database: database_id, created_at, last_seq (the highest number ever given to a job) and claims
-- (the numbers of the jobs that were RUNNING at the last commit, as ranges).
CREATE TABLE meta (
  name TEXT PRIMARY KEY,
  value ANY NOT NULL
) STRICT, WITHOUT ROWID;
