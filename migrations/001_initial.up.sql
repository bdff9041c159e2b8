-- The job row, and what is kept about all of them.
--
-- A row is written twice in its life (insert as running, settle), so its width, its checks and its indexes are paid
-- twice. Hence:
-- * No index names the state. What is looked for are the jobs that wait, and those say so in waits_for: 'turn' (QUEUED:
--   a free thread), else what a SCHEDULED one waits for; NULL for all others. To settle a job touches no index.
-- * The check is a CASE on purpose: `state IN (...)` with nine texts builds a temporary b-tree at each write and halves
--   the speed of the whole engine. It also ties finished_at and waits_for to the state.
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
  generation INTEGER,
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

-- The latest generation of each subject, and its job. running_seq: the older job whose handler ran when the latest was
-- enqueued; it may have ended since. No other job of the subject can be live. last_seq is the youngest row of all, with
-- which the subject is pruned.
CREATE TABLE subjects (
  subject_key TEXT PRIMARY KEY,
  latest_generation INTEGER NOT NULL,
  latest_seq INTEGER NOT NULL,
  running_seq INTEGER,
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
