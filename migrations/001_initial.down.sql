DROP TABLE meta;
DROP TABLE counters;
DROP TABLE subjects;
DROP TABLE jobs;
