-- Programs that wait for their turn in a lane of their own, which older versions do not have, wait as others do.
INSERT INTO counters (queue, state, jobs)
  SELECT queue, 'QUEUED', count(*) FROM jobs WHERE waits_for = 'program' GROUP BY queue
  ON CONFLICT (queue, state) DO UPDATE SET jobs = counters.jobs + excluded.jobs;
UPDATE counters SET jobs = counters.jobs - waiting.jobs FROM
  (SELECT queue, count(*) AS jobs FROM jobs WHERE waits_for = 'program' GROUP BY queue) AS waiting
  WHERE counters.queue = waiting.queue AND counters.state = 'SCHEDULED';
UPDATE jobs SET state = 'QUEUED', waits_for = 'turn' WHERE waits_for = 'program';

ALTER TABLE jobs DROP COLUMN traceparent;
ALTER TABLE jobs DROP COLUMN trace_id;
