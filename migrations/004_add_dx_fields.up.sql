-- What people find their jobs by, and what a job leaves behind. parent_job_id is the parent's seq.
ALTER TABLE jobs ADD COLUMN user_tag TEXT;
ALTER TABLE jobs ADD COLUMN parent_job_id INTEGER;
ALTER TABLE jobs ADD COLUMN chain_group_id TEXT;
ALTER TABLE jobs ADD COLUMN result_summary TEXT;
ALTER TABLE jobs ADD COLUMN artifacts TEXT;

CREATE INDEX idx_jobs_user_tag ON jobs (user_tag) WHERE user_tag IS NOT NULL;
CREATE INDEX idx_jobs_chain_group ON jobs (chain_group_id) WHERE chain_group_id IS NOT NULL;
CREATE INDEX idx_jobs_parent ON jobs (parent_job_id) WHERE parent_job_id IS NOT NULL;
