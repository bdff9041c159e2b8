ALTER TABLE jobs DROP COLUMN traceparent;
ALTER TABLE jobs DROP COLUMN trace_id;
