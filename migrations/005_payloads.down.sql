-- keeps payloads
UPDATE jobs SET payload = (SELECT payloads.payload FROM payloads WHERE payloads.seq = jobs.seq)
  WHERE seq IN (SELECT seq FROM payloads);
DROP TABLE payloads;
