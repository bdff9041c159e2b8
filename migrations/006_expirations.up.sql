-- When jobs have to have begun: at the latest at expires_at, by their time to live (kind 'ttl', for the first attempt) or
-- their deadline ('deadline', for every attempt). A row goes with the end of its job, or when its time comes.
CREATE TABLE expirations (
  expires_at INTEGER NOT NULL,
  seq INTEGER NOT NULL,
  kind TEXT NOT NULL CHECK (CASE kind WHEN 'ttl' THEN 1 WHEN 'deadline' THEN 1 ELSE 0 END),
  PRIMARY KEY (expires_at, seq, kind)
) STRICT, WITHOUT ROWID;
