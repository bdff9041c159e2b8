-- How far a running job says it has come, beside the job row: only jobs that tell it pay for it.
CREATE TABLE progress (
  seq INTEGER PRIMARY KEY,
  fraction REAL NOT NULL,
  note TEXT,
  at INTEGER NOT NULL
) STRICT;
