-- Cancels of many jobs that are under way. Nothing that one matches, up to last_seq, starts from the commit of its row
-- on; the jobs are ended slice by slice, and the row goes with the last of them.
-- criteria: JSON of what was asked for. last_seq: the highest number that a job had then: later ones are not touched.
-- cursor: JSON of the place that the slices have come to, or NULL; a restart goes on from it.
CREATE TABLE cancel_requests (
  id INTEGER PRIMARY KEY,
  criteria TEXT NOT NULL,
  created_at INTEGER NOT NULL,
  last_seq INTEGER NOT NULL,
  cursor TEXT
) STRICT;
