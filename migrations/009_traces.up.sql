-- In which trace a job was enqueued. Both are NULL where no span was active.
-- traceparent: the span, as W3C Trace Context writes it; the spans of all attempts are its children, in this process or the
-- next. trace_id: the part of it by which people find the trace.
ALTER TABLE jobs ADD COLUMN trace_id TEXT;
ALTER TABLE jobs ADD COLUMN traceparent TEXT;
