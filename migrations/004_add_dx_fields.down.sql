DROP INDEX idx_jobs_parent;
DROP INDEX idx_jobs_chain_group;
DROP INDEX idx_jobs_user_tag;
ALTER TABLE jobs DROP COLUMN artifacts;
ALTER TABLE jobs DROP COLUMN result_summary;
ALTER TABLE jobs DROP COLUMN chain_group_id;
ALTER TABLE jobs DROP COLUMN parent_job_id;
ALTER TABLE jobs DROP COLUMN user_tag;
