-- A long payload stands here, and an empty text, which no payload is, in its job: a job is written twice in its life, and
-- each time as a whole.
CREATE TABLE payloads (
  seq INTEGER PRIMARY KEY,
  payload TEXT NOT NULL
) STRICT;
